import { expect, test } from "bun:test"
import { Effect } from "effect"
import { spareId } from "../../../domain/cluster/broker/spare-id.ts"
import { initial } from "../../../domain/cluster/state.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import type { Link } from "../../../src/wire/link.ts"
import { given, heartbeat, register } from "../../domain/cluster/support.ts"
import { World } from "../groups/support.ts"
import { join } from "./support.ts"

const wanting = { brokerId: -1, clusterId: "", incarnationId: "AAAAAAAAAAAAAAAAAAAAAA", listeners: [], features: [], rack: null, wantsId: true }
const ask = (to: Link) => Effect.map(to.call(BrokerRegistration, wanting), ({ errorCode, givenId }) => [errorCode, givenId])

test("the leader gives each new broker an id that no other has or was given, and registers nothing", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const to = yield* world.link(leader.address)
      // The leader of the test is node 100.
      expect(yield* ask(to)).toEqual([0, 101])
      expect(yield* ask(to)).toEqual([0, 102])
      yield* join(to, 120)
      expect(yield* ask(to)).toEqual([0, 121])
      // Those that did not register in time are free again.
      yield* Effect.sleep(61_000)
      expect(yield* ask(to)).toEqual([0, 121])
    })
  )
})
test("ids of brokers that are gone are not given while a replica or a setting has them; the highest id is followed by the lowest free one", () => {
  expect(spareId(initial)).toBe(0 as never)
  expect(spareId(initial, [0, 7])).toBe(8 as never)
  expect(spareId(given(register(0), heartbeat(0)), [1, 2_147_483_647])).toBe(2 as never)
})
