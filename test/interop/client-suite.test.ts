import { afterAll, beforeAll, describe } from "bun:test"
import { type StartedCluster, startCluster } from "../../src/programs/testing.ts"
import { clientSuite } from "./support/client-suite/suite.ts"

/** secure-kafka.test.ts has the same suite at listeners of Apache Kafka. */
describe("the client's suite at our cluster", () => {
  let cluster: StartedCluster
  beforeAll(async () => {
    cluster = await startCluster({ brokers: 2 })
  })
  afterAll(() => cluster?.close())
  clientSuite([], "ours", () => ({ leader: cluster.bootstrap }))
})
