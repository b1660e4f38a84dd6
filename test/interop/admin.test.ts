import { expect, test } from "bun:test"
import { Effect } from "effect"
import { startCluster } from "../../src/programs/testing.ts"
import { expected } from "./support/secure/admin-expected.ts"
import { adminWork } from "./support/secure/admin-work.ts"

test("every call of the admin gives a value or the error of its item at our cluster, as the table says", async () => {
  const cluster = await startCluster()
  try {
    expect(await Effect.runPromise(adminWork({ leader: cluster.bootstrap }))).toEqual(expected.ours)
  } finally {
    await cluster.close()
  }
}, 120_000)
