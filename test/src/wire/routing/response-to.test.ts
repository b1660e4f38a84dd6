import { expect, test } from "bun:test"
import { Effect, Either, Exit } from "effect"
import { Bug } from "../../../../domain/kernel/bug.ts"
import { responseFrame } from "../../../../src/protocol/codec/frame.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { transmit } from "../../../../src/wire/link/exchange.ts"
import type { LinkConnection } from "../../../../src/wire/link/link-connection.ts"
import { beat, eventually, heartbeat, linkOptions, onStage, reply, transports } from "../harness.ts"

test.each(transports)("the server never sends a response under the correlation id of another request, %s", (_, layer) => {
  const sound = heartbeat(reply)
  const mixed = { ...sound, encode: () => responseFrame(Heartbeat, 4, 99, { errorCode: 0 }) }
  return onStage(layer(), [mixed], ({ raw, lines }) =>
    Effect.gen(function* () {
      const client = yield* raw
      client.ask(Heartbeat, 4, beat(1))
      yield* eventually("the connection is closed", () => client.closedBy !== undefined)
      expect(client.frames).toEqual([])
      expect(lines[0]?.text).toContain("the response to request 1 of API key 12 has the correlation id 99")
    })
  )
})

test("a link that matches a response to the wrong request dies with a Bug", () => {
  const frame = new Uint8Array(Buffer.concat(responseFrame(Heartbeat, 4, 99, { errorCode: 0 }))).subarray(4)
  const link = { submit: ({ encode }, settle) => (encode(5), settle(Either.right(frame)), () => {}) } as Pick<LinkConnection, "submit"> as LinkConnection
  const exit = Effect.runSyncExit(transmit(link, linkOptions, Heartbeat, 4, beat(1), {}, true))
  expect(Exit.isFailure(exit) && exit.cause._tag === "Die" && exit.cause.defect).toBeInstanceOf(Bug)
})
