import { expect, test } from "bun:test"
import { Effect, Layer } from "effect"
import { MemoryNetwork } from "../../../../adapters/transport/memory.ts"
import { type Connection, Transport } from "../../../../src/ports/transport.ts"
import { eventually, onStage } from "../harness.ts"

/** A network whose accepted connections count how often they are asked to receive in pieces. */
const counting = (asked: Array<number>): Layer.Layer<Transport> =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport): Transport["Type"] => ({
      ...transport,
      listen: (address, accept) =>
        transport.listen(address, (connection) => {
          const at = asked.push(0) - 1
          const receiveInPieces = () => void (asked[at] = (asked[at] ?? 0) + 1)
          return accept(new Proxy<Connection>(connection, { get: (of, name) => (name === "receiveInPieces" ? receiveInPieces : Reflect.get(of, name, of)) }))
        })
    }))
  ).pipe(Layer.provide(new MemoryNetwork().layer("here")))

/** A frame of so many zeros, which no request has. */
const begun = (bytes: number): Uint8Array => {
  const frame = new Uint8Array(4 + 100)
  new DataView(frame.buffer).setInt32(0, bytes)
  return frame
}

test("a connection whose request is longer than producers send is read in pieces, once and for all", async () => {
  const asked: Array<number> = []
  await onStage(counting(asked), [], ({ raw }) =>
    Effect.gen(function* () {
      const short = yield* raw
      short.connection.write([begun(2_000_000)])
      const long = yield* raw
      long.connection.write([begun(3_000_000)])
      yield* eventually("the long request is noticed", () => asked[1] === 1)
      long.connection.write([new Uint8Array(1_000_000)])
      short.connection.write([new Uint8Array(1_000_000)])
      short.connection.end()
      yield* eventually("the short one is over", () => short.closedBy !== undefined)
      expect(asked).toEqual([0, 1])
    })
  )
})
