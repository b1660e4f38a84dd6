import { expect, test } from "bun:test"
import { Effect } from "effect"
import { startCluster } from "../../src/programs/testing.ts"
import { expected } from "./support/secure/admin-expected.ts"
import { adminWork } from "./support/secure/admin-work.ts"
import { exercise } from "./support/secure/exercise.ts"

test("the work that the client does over each listener of Kafka, at our cluster", async () => {
  const cluster = await startCluster()
  try {
    expect(await Effect.runPromise(exercise({ leader: cluster.bootstrap }, "work"))).toEqual({ read: 200, committed: 200 })
  } finally {
    await cluster.close()
  }
}, 120_000)

test("every call of the admin gives a value or the error of its item at our cluster, as the table says", async () => {
  const cluster = await startCluster()
  try {
    expect(await Effect.runPromise(adminWork({ leader: cluster.bootstrap }))).toEqual(expected.ours)
  } finally {
    await cluster.close()
  }
}, 120_000)
