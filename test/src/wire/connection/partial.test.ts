import { expect, test } from "bun:test"
import { Effect } from "effect"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { MemoryBudget } from "../../../../src/wire/memory/memory-budget.ts"
import { beat, eventually, heartbeat, onStage, reply, transports } from "../harness.ts"

/** The beginning of a request that announces `bytes`, with `sent` of them. */
const beginning = (bytes: number, sent: number): Uint8Array => {
  const frame = new Uint8Array(4 + sent)
  new DataView(frame.buffer).setInt32(0, bytes)
  return frame
}

for (const [name, layer] of transports)
  test(`requests that never come whole hold no more than their share of memory: the largest goes, and honest clients stay, ${name}`, () =>
    onStage(
      layer(),
      [heartbeat((id) => reply(id))],
      ({ raw, lines }) =>
        Effect.gen(function* () {
          const honest = yield* raw
          const half = requestFrame(Heartbeat, 4, { correlationId: 7, clientId: "honest" }, beat(7))
          const whole = Buffer.concat([...half])
          honest.connection.write([new Uint8Array(whole.subarray(0, 10))])
          const strangers = yield* Effect.forEach([300_000, 400_000, 200_000], (sent) =>
            Effect.tap(raw, (stranger) => Effect.sync(() => stranger.connection.write([beginning(600_000, sent)])))
          )
          yield* eventually("the largest is closed", () => strangers[1]?.closedBy !== undefined)
          expect([strangers[0]?.closedBy, strangers[2]?.closedBy, honest.closedBy]).toEqual([undefined, undefined, undefined])
          honest.connection.write([new Uint8Array(whole.subarray(10))])
          yield* eventually("the honest one is answered", () => honest.frames.length === 1)
          expect(lines.map(({ text }) => text)).toEqual([expect.stringMatching(/held 4\d{5} bytes of a request that had not come whole/)])
          // What is gone is counted no longer, as soon as the server has heard that it is gone.
          strangers[0]?.connection.destroy()
          for (let stays = false; !stays; ) {
            const next = yield* raw
            next.connection.write([beginning(600_000, 350_000)])
            const enough = honest.frames.length + 20
            yield* eventually("it is closed, or has stayed for many answers", () => {
              honest.ask(Heartbeat, 4, beat(1))
              return next.closedBy !== undefined || honest.frames.length >= enough
            })
            stays = next.closedBy === undefined
          }
          expect(strangers[2]?.closedBy).toBeUndefined()
        }),
      { memory: new MemoryBudget({ bytesMax: 800_000 }) }
    ))
