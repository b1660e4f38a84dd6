import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { decodeResponseFrame, requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { ApiVersions } from "../../../../src/protocol/message/18-api-versions.ts"
import { Envelope } from "../../../../src/protocol/message/58-envelope.ts"
import type { AnyApi, RequestDraft } from "../../../../src/protocol/type/wire.ts"
import { disconnect, noResponse, route } from "../../../../src/wire/route.ts"
import { dispatch } from "../../../../src/wire/routing/dispatch.ts"
import { beat, heartbeat, reply } from "../harness.ts"

const origin = { clientHost: "10.0.0.7", connectionId: 3, actor: "java@10.0.0.7:40000" }
const actors: Array<string> = []
const routes = [
  heartbeat((id, { actor }) => (actors.push(actor), id === 1 ? Effect.as(Effect.yieldNow(), reply(id)) : reply(id))),
  route(Produce, {}, ({ timeoutMs }) => (timeoutMs === 0 ? noResponse : disconnect("no"))),
  route(Envelope, {}, () => ({ errorCode: 0 }))
]
const frame = <A extends AnyApi>(api: A, version: number, request: RequestDraft<A>): Uint8Array =>
  new Uint8Array(Buffer.concat(requestFrame(api, version, { correlationId: 12, clientId: "java" }, request)).subarray(4))
const ask = (bytes: Uint8Array) => Effect.runPromise(Effect.either(dispatch(routes, bytes, origin)))

describe("one request without a connection", () => {
  test("is handled under the name of the client that sent it", async () => {
    for (const id of [1, 2]) {
      const answer = Either.getOrThrow(await ask(frame(Heartbeat, 4, beat(id))))
      const read = Either.getOrThrow(decodeResponseFrame(Heartbeat, 4, new Uint8Array(Buffer.concat(answer))))
      expect(read).toMatchObject({ correlationId: 12, value: { throttleTimeMs: id } })
    }
    expect(actors).toEqual([origin.actor, origin.actor])
  })
  test("ApiVersions too", async () => {
    const answer = Either.getOrThrow(await ask(frame(ApiVersions, 0, {})))
    const read = Either.getOrThrow(decodeResponseFrame(ApiVersions, 0, new Uint8Array(Buffer.concat(answer))))
    expect(read.value.apiKeys.map(({ apiKey }) => apiKey)).toEqual([0, 12, 18])
  })
  test("a request without a response returns no bytes; everything else is a fault", async () => {
    const produce = (timeoutMs: number) => frame(Produce, 9, { transactionalId: null, acks: 0, timeoutMs, topicData: [] })
    expect(Either.getOrThrow(await ask(produce(0)))).toEqual([])
    const kinds = []
    const cut = frame(Heartbeat, 4, beat(1)).subarray(0, -4)
    const envelope = frame(Envelope, 0, { requestData: new Uint8Array(1), requestPrincipal: null, clientHostAddress: new Uint8Array(4) })
    for (const bytes of [produce(1), cut, new Uint8Array(3), new Uint8Array([0, 99, 0, 0, 0, 0, 0, 0, 0, 0]), envelope]) {
      kinds.push(Either.match(await ask(bytes), { onLeft: ({ kind }) => kind, onRight: () => "answered" }))
    }
    expect(kinds).toEqual(["disconnected", "malformed", "malformed", "unknownApi", "unknownApi"])
  })
})
