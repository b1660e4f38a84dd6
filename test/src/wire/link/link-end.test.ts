import { expect, test } from "bun:test"
import { join } from "node:path"

const root = join(import.meta.dir, "../../../..")

/** A link that a finalizer opens and closes, as a broker does when it leaves its cluster. Calls may take an hour. */
const program = `
import { Effect } from "effect"
import { layerBun } from "./adapters/transport/bun.ts"
import { Heartbeat } from "./src/protocol/message/12-heartbeat.ts"
import { connect } from "./src/wire/link.ts"
import { route } from "./src/wire/route.ts"
import { serve } from "./src/wire/server.ts"

const bounds = { requestBytesMax: 1e6, connectionsMax: 10, inFlightRequestsMax: 10, writeBufferBytesMax: 1e6 }
const options = { clientId: "leaving", connectTimeoutMs: 5000, requestTimeoutMs: 3_600_000, inFlightRequestsMax: 10, responseBytesMax: 1e6 }
const served = Effect.gen(function* () {
  const at = yield* serve({ host: "127.0.0.1", port: 0 }, [route(Heartbeat, {}, () => ({ errorCode: 0 }))], bounds)
  const leave = Effect.scoped(Effect.flatMap(connect(at, options), (link) => link.call(Heartbeat, { groupId: "g", generationId: 1, memberId: "m" })))
  yield* Effect.addFinalizer(() => Effect.orDie(leave))
})
await Effect.runPromise(Effect.scoped(served).pipe(Effect.provide(layerBun)))
console.log("left")
`

// Its timer ran in a region that cannot be interrupted, outlived the link, and held the process for as long as a call may take.
test("a closed link keeps no timer, wherever it was opened", async () => {
  const child = Bun.spawn([process.execPath, "-e", program], { cwd: root, stdout: "pipe", stderr: "inherit" })
  const hung = setTimeout(() => child.kill("SIGKILL"), 60_000)
  const code = await child.exited
  clearTimeout(hung)
  expect(await new Response(child.stdout).text()).toBe("left\n")
  expect(code).toBe(0)
}, 120_000)
