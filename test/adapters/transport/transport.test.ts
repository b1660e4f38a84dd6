import { expect, test } from "bun:test"
import { Effect } from "effect"
import { layerBun } from "../../../adapters/transport/bun.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { layerNode } from "../../../adapters/transport/node.ts"
import { boundReceiveBuffer } from "../../../adapters/transport/receive-buffer.ts"
import { Transport } from "../../../src/ports/transport.ts"
import { transportContract } from "../../src/ports/transport.contract.ts"

transportContract("over Bun's sockets", () => layerBun)
transportContract("over node:net", () => layerNode)
transportContract("in memory", () => new MemoryNetwork().layer("here"))
transportContract("in memory, slow and in small pieces", () => new MemoryNetwork({ delayMs: [0, 2], segmentBytes: [1000, 200_000] }).layer("here"))

/** The most bytes that came within one turn of the loop, of 40 MB that a client in the same process sends as fast as it can. */
const mostInATurn = (): Promise<number> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    let most = 0
    let inTurn = 0
    let size = 0
    const address = yield* transport.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      connection.receiveInPieces?.()
      return {
        received: (bytes) => {
          if (inTurn === 0) setImmediate(() => (inTurn = 0))
          size += bytes.length
          most = Math.max(most, (inTurn += bytes.length))
        },
        drained: () => {},
        closed: () => {}
      }
    })
    const client = yield* transport.connect(address, 5000, () => ({ received: () => {}, drained: () => {}, closed: () => {} }))
    for (let n = 0; n < 40; n++) client.write([new Uint8Array(1_000_000)])
    while (size < 40_000_000) yield* Effect.sleep(1)
    return most
  }).pipe(Effect.scoped, Effect.provide(layerBun), Effect.runPromise)

test("a long frame is read in pieces, where Bun would read without end in one turn of the loop", async () => {
  expect(await mostInATurn()).toBeLessThan(2 * 524_288)
})

test("the bound of a receive buffer is asked of an open socket alone, and takes no other numbers", () => {
  for (const fd of [-1, 1e9, 2 ** 40 + 0.5, Number.NaN]) expect(boundReceiveBuffer(fd, 100_000)).toBe(false)
})
