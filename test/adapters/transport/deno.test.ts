import { expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dir, "../../..")
const deno = join(root, "node_modules/.bin/deno")

/** A server and a link in one Deno process: small calls, a frame of many chunks, a port in use, an address without a listener, a peer without the protocol. */
const program = `
import { Effect, Logger } from "effect"
import { layerNode } from "./adapters/transport/node.ts"
import { Transport } from "./src/ports/transport.ts"
import { Produce } from "./src/protocol/message/00-produce.ts"
import { Heartbeat } from "./src/protocol/message/12-heartbeat.ts"
import { connect } from "./src/wire/link.ts"
import { route } from "./src/wire/route.ts"
import { serve } from "./src/wire/server.ts"

const options = { requestBytesMax: 1e7, connectionsMax: 100, inFlightRequestsMax: 64, writeBufferBytesMax: 1e6 }
const link = { clientId: "deno", connectTimeoutMs: 5000, requestTimeoutMs: 20000, inFlightRequestsMax: 10, responseBytesMax: 1e7 }
const routes = [
  route(Heartbeat, {}, ({ generationId }) => Effect.as(Effect.sleep(generationId), { errorCode: 0, throttleTimeMs: generationId })),
  route(Produce, {}, ({ topicData }) => ({ responses: [], throttleTimeMs: topicData[0].partitionData[0].records.length }))
]
const produce = (size) => ({ transactionalId: null, acks: 1, timeoutMs: 1, topicData: [{ name: "t", partitionData: [{ index: 0, records: new Uint8Array(size) }] }] })
const program = Effect.gen(function* () {
  const at = yield* serve({ host: "127.0.0.1", port: 0 }, routes, options)
  const inUse = yield* Effect.flip(serve(at, routes, options))
  const to = yield* connect(at, link)
  const beats = yield* Effect.forEach([3, 1, 2], (id) => to.call(Heartbeat, { groupId: "g", generationId: id, memberId: "m" }), { concurrency: "unbounded" })
  const large = yield* to.call(Produce, produce(3_000_000), { version: 9 })
  const transport = yield* Transport
  const closed = yield* Effect.async((resume) => {
    const listener = { received() {}, drained() {}, closed: () => resume(Effect.succeed(true)) }
    Effect.runFork(Effect.scoped(Effect.flatMap(transport.connect(at, 5000, () => listener), (connection) => {
      connection.write([new TextEncoder().encode("GET / HTTP/1.1\\r\\n\\r\\n")])
      return Effect.never
    })))
  })
  return { inUse: inUse.code, beats: beats.map((beat) => beat.throttleTimeMs), large: large.throttleTimeMs, closed }
})
const refused = Effect.flatMap(Transport, (transport) => Effect.flip(transport.connect({ host: "127.0.0.1", port: 1 }, 5000, () => ({}))))
const all = Effect.all([program, refused]).pipe(Effect.scoped, Effect.provide(layerNode), Effect.provide(Logger.remove(Logger.defaultLogger)))
const [seen, absent] = await Effect.runPromise(all)
console.log(JSON.stringify({ ...seen, refused: absent.code }))
Deno.exit(0)
`

test.skipIf(!existsSync(deno))("wire over node:net runs under Deno", async () => {
  const child = Bun.spawn([deno, "run", "-A", "--no-check", "--ext=ts", "-"], { cwd: root, stdin: new Blob([program]), stdout: "pipe", stderr: "pipe" })
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  expect(code === 0 ? "" : err).toBe("")
  expect(JSON.parse(out)).toEqual({ inUse: "EADDRINUSE", beats: [3, 1, 2], large: 3_000_000, closed: true, refused: "ECONNREFUSED" })
})
