import { describe, expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { brokerChangesOf, brokersMax, idleBrokerMs } from "../../../domain/cluster/bounds.ts"
import { brokerOf } from "../../../domain/cluster/state.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { UnregisterBroker } from "../../../src/protocol/message/64-unregister-broker.ts"
import { AllocateProducerIds } from "../../../src/protocol/message/67-allocate-producer-ids.ts"
import { createTopics, World } from "../groups/support.ts"
import { heartbeat, join, register } from "./support.ts"

const errorOf = ({ errorCode }: { readonly errorCode: number }) => kafkaError(errorCode)
const minutes = (n: number) => Effect.sleep(`${n} minutes`)

/** A leader, a broker that serves topic `orders`, and a stranger who has read its epoch in the journal. */
const attacked = Effect.fnUntraced(function* (world: World) {
  const leader = yield* world.leader()
  const broker = yield* world.link(leader.address, "broker-1")
  const epoch = yield* join(broker, 1)
  yield* createTopics(broker, ["orders", 3])
  return { leader, broker, epoch, stranger: yield* world.link(leader.address, "broker-1") }
})

describe("given a broker that serves", () => {
  test("when a stranger beats, allocates or registers in its name, then it is refused and nothing is journalled", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { epoch, leader, stranger } = yield* attacked(world)
        const before = leader.writer.end()
        const asked = [
          yield* heartbeat(stranger, 1, epoch, true),
          yield* stranger.call(AllocateProducerIds, { brokerId: 1, brokerEpoch: epoch }),
          yield* register(stranger, 1, 2, "", 9001),
          yield* register(stranger, 1, 2, "", 9999)
        ]
        expect(asked.map(errorOf)).toEqual([
          "CLUSTER_AUTHORIZATION_FAILED",
          "CLUSTER_AUTHORIZATION_FAILED",
          "DUPLICATE_BROKER_REGISTRATION",
          "DUPLICATE_BROKER_REGISTRATION"
        ])
        expect([leader.writer.end(), brokerOf(leader.cluster(), 1)?.fenced]).toEqual([before, false])
      })
    )
  })
  test("when it registers once more on its connection, then that still shows that it is there", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { broker, epoch, stranger } = yield* attacked(world)
        expect((yield* register(broker, 1)).brokerEpoch).toBe(epoch)
        expect(errorOf(yield* register(stranger, 1, 2, "", 9001))).toBe("DUPLICATE_BROKER_REGISTRATION")
        expect(yield* heartbeat(broker, 1, epoch)).toMatchObject({ errorCode: 0, isFenced: false })
      })
    )
  })
  test("when its connection closes, then a process at its address is registered", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        yield* Effect.scoped(Effect.flatMap(world.link(leader.address), (link) => join(link, 1)))
        yield* Effect.sleep(10)
        expect(errorOf(yield* register(yield* world.link(leader.address), 1, 2, "", 9001))).toBe("NONE")
      })
    )
  })
  test("what the journal says of its process does not let a stranger pass for it", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { leader, stranger } = yield* attacked(world)
        const told = brokerOf(leader.cluster(), 1)?.incarnationId ?? ""
        const answer = yield* register(stranger, 1, 1, "", 9001, told)
        expect(errorOf(answer)).toBe("DUPLICATE_BROKER_REGISTRATION")
      })
    )
  })
  test("when it connects again, then it continues under its epoch", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { epoch, leader } = yield* attacked(world)
        const before = leader.writer.end()
        const again = yield* world.link(leader.address, "broker-1")
        expect((yield* register(again, 1)).brokerEpoch).toBe(epoch)
        expect(yield* heartbeat(again, 1, epoch)).toMatchObject({ errorCode: 0, isFenced: false })
        expect(leader.writer.end()).toBe(before)
      })
    )
  })
  test("when it comes and goes without end, then its events are bounded, and it is unfenced again later", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const { broker, epoch, leader } = yield* attacked(world)
        const before = leader.writer.end()
        for (let n = 0; n < 500; n++) {
          yield* heartbeat(broker, 1, epoch, true)
          yield* heartbeat(broker, 1, epoch)
        }
        expect(leader.writer.end() - before).toBeLessThanOrEqual(2 * brokerChangesOf(0).burst)
        expect(yield* heartbeat(broker, 1, epoch)).toMatchObject({ errorCode: 0, isFenced: true })
        yield* Effect.sleep(brokerChangesOf(0).everyMs)
        expect(yield* heartbeat(broker, 1, epoch)).toMatchObject({ errorCode: 0, isFenced: false })
      })
    )
  })
})

describe("given brokers that do not exist", () => {
  test("when as many register as there may be, then a broker still joins, after a restart too, and they are forgotten", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { leader, stranger } = yield* attacked(world)
            for (let id = 2; id < brokersMax + 2; id++) yield* register(stranger, id, 5)
            expect([...leader.cluster().brokers].length).toBe(brokersMax)
            yield* join(yield* world.link(leader.address), 5000)
          })
        )
        const leader = yield* world.leader()
        yield* join(yield* world.link(leader.address), 6000)
        const again = yield* world.link(leader.address)
        yield* join(again, 1)
        yield* Effect.sleep(idleBrokerMs)
        yield* minutes(1)
        expect([...leader.cluster().brokers].map(([id]) => id as number)).toEqual([1])
      })
    )
    // Hundreds of registrations, one after the other, on a machine that may have other things to do.
  }, 120_000)
})

test("given a registration without heartbeats, when it is removed, then the leader says so of one", () => {
  const world = new World()
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const heard = <A, E, R>(start: Effect.Effect<A, E, R>) =>
    start.pipe(Logger.withMinimumLogLevel(LogLevel.Info), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  return world.run(
    Effect.gen(function* () {
      const leader = yield* heard(world.leader())
      yield* Effect.scoped(Effect.flatMap(world.link(leader.address), (stranger) => register(stranger, 2, 5)))
      yield* Effect.sleep(idleBrokerMs)
      yield* minutes(1)
      expect(lines).toContainEqual(expect.stringMatching(/^removed 1 registration of brokers without partitions that sent no heartbeat for \d+ minutes: 2$/))
    })
  )
})

test("given a broker that an operator unregisters, when it beats, then it must register again", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const { broker, epoch, leader } = yield* attacked(world)
      expect(errorOf(yield* broker.call(UnregisterBroker, { brokerId: 1 }))).toBe("NONE")
      expect(errorOf(yield* broker.call(UnregisterBroker, { brokerId: 1 }))).toBe("BROKER_ID_NOT_REGISTERED")
      expect(errorOf(yield* heartbeat(broker, 1, epoch))).toBe("BROKER_ID_NOT_REGISTERED")
      yield* join(broker, 1)
      expect(brokerOf(leader.cluster(), 1)?.fenced).toBe(false)
    })
  )
})
