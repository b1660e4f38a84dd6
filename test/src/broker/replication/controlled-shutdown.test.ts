import { expect, test } from "bun:test"
import { Effect, Fiber, Logger, LogLevel } from "effect"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

test("controlled shutdown: another broker leads before the one that stops is fenced, and the stop takes no session timeout", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ "broker.session.timeout.ms": 30_000, "franz.groups.engine": "leader" })
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const seen: Array<string> = []
      leader.writer.onChange(({ events }) => {
        for (const event of events) seen.push("reason" in event ? `${event._tag} ${event.reason}` : event._tag)
      })
      const before = world.clock.unsafeCurrentTimeMillis()
      yield* first.stop
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeLessThan(2000)
      expect(seen.filter((tag) => /Leaving|Elected|Fenced/.test(tag))).toEqual(["BrokerLeaving", "LeadersElected leaving", "BrokerFenced shutdown"])
      expect(partitionOf(leader)).toMatchObject({ leader: 2, isr: [2, 3] })
    })
  )
})

test("the log counts the partitions that a stopped broker leaves without a leader, and names none where it has none", () => {
  const world = new ReplicatedWorld()
  const lines: Array<string> = []
  const captured = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => void lines.push(String(message)))
  )
  const stops = Effect.gen(function* () {
    const leader = yield* world.leader()
    const first = yield* world.broker(1)
    const second = yield* world.broker(2)
    yield* createReplicated(leader, [1])
    yield* until(() => partitionOf(leader)?.leader === 1)
    yield* second.stop
    yield* first.stop
    const stopped = lines.filter((line) => line.includes("has shut down"))
    expect(stopped).toEqual([
      "broker 2 at broker-2:9092 has shut down",
      "broker 1 at broker-1:9092 has shut down: 1 partition without another replica has no leader until it registers again"
    ])
  })
  return world.run(stops.pipe(Logger.withMinimumLogLevel(LogLevel.Info), Effect.provide(captured)))
})

test("rolling restart: each broker stops and starts, and a producer sees retriable errors alone, and loses nothing", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const brokers = new Map<number, { readonly stop: Effect.Effect<void> }>()
      for (const id of [1, 2, 3]) brokers.set(id, yield* world.broker(id))
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const errors: Array<string> = []
      let sent = 0
      let isOver = false
      const send = Effect.gen(function* () {
        const id = partitionOf(leader)?.leader ?? -1
        if (id === -1) return void errors.push("no leader")
        const [error] = yield* Effect.scoped(Effect.flatMap(world.link(id), (to) => produce(to, `record ${sent}`)))
        if (error === "NONE") sent++
        else errors.push(error)
      }).pipe(Effect.catchAll((fault) => Effect.sync(() => errors.push(String(fault)))))
      const producer = yield* Effect.fork(Effect.repeat(Effect.delay(send, 20), { until: () => isOver }))
      for (const id of [1, 2, 3]) {
        yield* brokers.get(id)?.stop ?? Effect.void
        const before = sent
        yield* until(() => sent > before + 3)
        yield* world.broker(id)
        yield* until(() => partitionOf(leader)?.isr.length === 3)
      }
      isOver = true
      yield* Fiber.join(producer)
      // All that a client sees is that the leader has moved.
      expect(errors.filter((error) => error !== "NOT_LEADER_OR_FOLLOWER")).toEqual([])
      expect(errors.length).toBeLessThan(30)
      expect(brokerOf(leader.cluster(), 3)?.fenced).toBe(false)
      const stored = yield* valuesOn(yield* world.link(partitionOf(leader)?.leader ?? -1))
      // A record whose answer was an error may be there twice.
      expect([...new Set(stored)]).toEqual(Array.from({ length: sent }, (_, n) => `record ${n}`))
    })
  )
})
