import { expect, test } from "bun:test"
import { Effect } from "effect"
import { eventLevelFeature } from "../../../domain/cluster/event-level.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import { UnregisterBroker } from "../../../src/protocol/message/64-unregister-broker.ts"
import type { Link } from "../../../src/wire/link.ts"
import { life, World } from "../groups/support.ts"
import { register } from "./support.ts"

/** Registers a broker of a version that knows event levels up to `level`. */
const registerAt = (to: Link, brokerId: number, level: number) =>
  Effect.map(
    to.call(BrokerRegistration, {
      brokerId,
      clusterId: "",
      incarnationId: `I${String(brokerId).padStart(20, "0")}A`,
      listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port: 9000 + brokerId, securityProtocol: 0 }],
      features: [{ name: eventLevelFeature, minSupportedVersion: 1, maxSupportedVersion: level }],
      rack: null
    }),
    ({ errorCode }) => kafkaError(errorCode)
  )

test("the leader raises the event level when the last broker of an older version is gone, and registers none after that", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      yield* life(world.leader({}, { knownEventLevel: 3 }), (leader) =>
        Effect.gen(function* () {
          const [one, two] = [yield* world.link(leader.address), yield* world.link(leader.address)]
          yield* register(one, 1)
          expect(yield* registerAt(two, 2, 2)).toBe("NONE")
          yield* Effect.sleep(5000)
          expect(leader.cluster().eventLevel).toBe(1)
          yield* one.call(UnregisterBroker, { brokerId: 1 })
          yield* leader.writer.when(({ eventLevel }) => (eventLevel === 2 ? true : undefined))
          expect((yield* register(one, 1)).errorCode).not.toBe(0)
          expect(yield* registerAt(one, 1, 2)).toBe("NONE")
          expect(yield* registerAt(yield* world.link(leader.address), 3, 3)).toBe("NONE")
        })
      )
      // The level is in the journal: the next leader has it, and writes no second event for it.
      yield* life(world.leader({}, { knownEventLevel: 3 }), (leader) =>
        Effect.gen(function* () {
          const end = leader.writer.end()
          yield* Effect.sleep(5000)
          expect([leader.cluster().eventLevel, leader.writer.end()]).toEqual([2, end])
        })
      )
    })
  )
})

test("a leader over an older journal writes no level while the brokers of that journal are registered, nor without any", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      yield* life(world.leader(), (leader) => Effect.flatMap(world.link(leader.address), (link) => register(link, 1)))
      yield* life(world.leader({}, { knownEventLevel: 2 }), (leader) =>
        Effect.gen(function* () {
          yield* Effect.sleep(5000)
          expect(leader.cluster().eventLevel).toBe(1)
          yield* (yield* world.link(leader.address)).call(UnregisterBroker, { brokerId: 1 })
          yield* Effect.sleep(5000)
          expect(leader.cluster().eventLevel).toBe(1)
        })
      )
    })
  )
})
