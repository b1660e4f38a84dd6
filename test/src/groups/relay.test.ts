import { expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { decodeResponseFrame, requestFrame } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { ListGroups } from "../../../src/protocol/message/16-list-groups.ts"
import { Envelope } from "../../../src/protocol/message/58-envelope.ts"
import type { AnyApi, RequestDraft } from "../../../src/protocol/type/wire.ts"
import type { Link } from "../../../src/wire/link.ts"
import { register } from "../leader/support.ts"
import { bytes, World, wrong } from "./support.ts"

/** A request of a client, relayed by a broker. */
const relay = <A extends AnyApi>(to: Link, api: A, version: number, request: RequestDraft<A>) =>
  Effect.gen(function* () {
    const requestData = joined(requestFrame(api, version, { correlationId: 5, clientId: "far" }, request)).subarray(4)
    const answer = yield* to.call(Envelope, { requestData, requestPrincipal: bytes("far"), clientHostAddress: new Uint8Array([10, 0, 0, 9]) })
    expect(wrong(answer)).toBe("NONE")
    return Either.getOrThrow(decodeResponseFrame(api, version, answer.responseData as Uint8Array)).value
  })

test("a join that a broker relays may wait, and what comes behind it on the broker's connection is answered meanwhile", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ "group.initial.rebalance.delay.ms": 5000 })
      const broker = yield* world.link(leader.address, "broker-1")
      yield* register(broker, 1)
      const request = {
        groupId: "g",
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 60_000,
        memberId: "",
        protocolType: "consumer",
        protocols: [{ name: "range", metadata: bytes("x") }]
      }
      const before = world.now
      const waiting = yield* Effect.fork(relay(broker, JoinGroup, 3, request))
      yield* Effect.sleep(100)
      const { groups } = yield* relay(broker, ListGroups, 5, {})
      expect([groups.map(({ groupId, groupState }) => [groupId, groupState]), world.now - before]).toEqual([[["g", "PreparingRebalance"]], 100])
      const answer = yield* Fiber.join(waiting)
      expect([wrong(answer), world.now - before, answer.memberId.startsWith("far-")]).toEqual(["NONE", 5000, true])
    })
  )
})
