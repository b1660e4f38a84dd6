import { afterAll, beforeAll, describe } from "bun:test"
import { type StartedCluster, startCluster } from "../../src/programs/testing.ts"
import { clientSuite } from "./support/client-suite/suite.ts"

/** secure-kafka.test.ts has the same suite at listeners of Apache Kafka. */
describe("the client's suite at our cluster", () => {
  let cluster: StartedCluster
  beforeAll(async () => {
    // Old records are deleted at once, and not 30 s after the start and then each 5 minutes: a case whose timestamps are
    // older than retention.ms would fail only where it runs at that time.
    cluster = await startCluster({ brokers: 2, config: { "log.retention.check.interval.ms": 100 } })
  })
  afterAll(() => cluster?.close())
  clientSuite([], "ours", () => ({ leader: cluster.bootstrap }))
})
