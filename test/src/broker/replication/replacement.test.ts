import { expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const delayMs = 4000
/** The partitions that move are counted: there are none of groups among them. */
const settings = { "franz.broker.replacement.delay.ms": delayMs, "franz.groups.engine": "leader" } as const
const live = (leader: RunningLeader, count: number) =>
  leader.writer.when((cluster) => ([...cluster.brokers].filter(([, { fenced }]) => !fenced).length === count ? true : undefined))

/** A leader whose lines about replacement are kept. */
const recorded = (world: ReplicatedWorld, lines: Array<string>, config: Parameters<ReplicatedWorld["leader"]>[0] = settings) =>
  world.leader(config).pipe(
    Logger.withMinimumLogLevel(LogLevel.Info),
    Effect.provide(
      Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => {
          const line = [message].flat().join(" ")
          if (/replace|returned|serves again|only copy|preferred/.test(line)) lines.push(line)
        })
      )
    )
  )

test("a broker that stays away is replaced after the delay, and nothing is lost", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const leader = yield* recorded(world, lines)
      yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* world.broker(3)
      yield* world.broker(4)
      yield* live(leader, 4)
      yield* createReplicated(leader, [2, 1, 3], { "retention.ms": "-1" })
      yield* until(() => partitionOf(leader)?.leader === 2)
      const to = yield* world.link(2)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* Effect.sleep(delayMs / 2)
      expect(partitionOf(leader)).toMatchObject({ replicas: [2, 1, 3], adding: [] })
      yield* until(() => partitionOf(leader)?.replicas.includes(4 as never) === true && partitionOf(leader)?.adding.length === 0)
      expect(partitionOf(leader)).toMatchObject({ replicas: [4, 1, 3], removing: [] })
      expect([...(partitionOf(leader)?.isr ?? [])].sort()).toEqual([1, 3, 4] as never)
      yield* until(() => lines.length === 2)
      expect(lines).toEqual([
        expect.stringMatching(/^broker 2 at broker-2:9092 has not returned within franz.broker.replacement.delay.ms: the replicas of 1 partition move/),
        "broker 2 at broker-2:9092 is replaced: other brokers have its replicas"
      ])
      const last = leader.writer.state().index
      yield* Effect.sleep(2 * delayMs)
      expect(leader.writer.state().index).toBe(last)
      expect(yield* valuesOn(yield* world.link(partitionOf(leader)?.leader ?? -1))).toEqual(["record 0", "record 1", "record 2", "record 3", "record 4"])
    })
  )
})

test("without a free broker nothing happens and one line says what to do; a new broker takes the lost one's place", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const leader = yield* recorded(world, lines)
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* live(leader, 3)
      yield* createReplicated(leader, [1, 2, 3])
      yield* third.stop
      yield* live(leader, 2)
      const last = leader.writer.state().index
      yield* Effect.sleep(2 * delayMs)
      expect(leader.writer.state().index).toBe(last)
      expect(lines).toEqual([expect.stringMatching(/^broker 3 at broker-3:9092 cannot be replaced: no broker is free for 1 partition. Start another one/)])
      yield* world.broker(4)
      yield* until(() => partitionOf(leader)?.replicas.join() === "1,2,4")
    })
  )
})

test("a broker that returns before the delay is over, or while its replicas wait, keeps them", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const leader = yield* recorded(world, lines)
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* live(leader, 3)
      yield* createReplicated(leader, [1, 2, 3])
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* Effect.sleep(delayMs / 2)
      const again = yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* Effect.sleep(2 * delayMs)
      expect(lines).toEqual([])
      yield* again.stop
      yield* until(() => lines.length === 1)
      yield* world.broker(3)
      yield* until(() => lines.length === 2)
      expect(lines[1]).toBe("broker 3 at broker-3:9092 serves again: it keeps the replicas that were not moved")
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(partitionOf(leader)?.replicas).toEqual([1, 2, 3] as never)
    })
  )
})

test("with a delay of -1 no broker is replaced", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const leader = yield* recorded(world, lines, { "franz.broker.replacement.delay.ms": -1 })
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* live(leader, 3)
      yield* createReplicated(leader, [1, 2])
      yield* first.stop
      yield* Effect.sleep(30_000)
      expect(lines).toEqual([])
      expect(partitionOf(leader)?.replicas).toEqual([1, 2] as never)
    })
  )
})

test("preferred leaders are elected again by themselves, only when they are in sync (Redpanda 2592)", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const leader = yield* recorded(world, lines, { "leader.imbalance.check.interval.seconds": 5 })
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* live(leader, 3)
      yield* createReplicated(leader, [1, 2, 3])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      // It reaches the cluster's leader and no other broker, so that it cannot catch up.
      for (const other of ["broker-2", "broker-3"]) world.network.cut("broker-1", other)
      yield* world.broker(1)
      yield* live(leader, 3)
      yield* Effect.sleep(11_000)
      expect(partitionOf(leader)?.leader).toBe(2 as never)
      for (const other of ["broker-2", "broker-3"]) world.network.heal("broker-1", other)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* until(() => lines.length === 1)
      expect(lines).toEqual(["1 partition is led by preferred leaders again (auto.leader.rebalance.enable)"])
    })
  )
})

test("an unregistered broker is replaced as a fenced one is", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const leader = yield* recorded(world, lines)
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* live(leader, 3)
      yield* createReplicated(leader, [1, 2])
      yield* first.stop
      yield* leader.writer.submit({ command: Command.UnregisterBroker({ brokerId: 1 }), commandId: "u", actor: "test", cause: "test" })
      yield* until(() => partitionOf(leader)?.replicas.join() === "3,2")
      yield* until(() => lines.length === 2)
      expect(lines[1]).toBe("broker 1 (not registered) is replaced: other brokers have its replicas")
    })
  )
})

test("a replacement of a lost broker keeps to leader.replication.throttled.rate where the topic lists its replicas", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const rate = 100_000
      const leader = yield* recorded(world, lines)
      // One record in each response.
      yield* world.broker(1, { "leader.replication.throttled.rate": rate })
      const second = yield* world.broker(2)
      yield* world.broker(3, { "replica.fetch.max.bytes": 1 })
      yield* live(leader, 3)
      yield* createReplicated(leader, [1, 2], { "leader.replication.throttled.replicas": "*" })
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const to = yield* world.link(1)
      // 400 KB: 4 s at the throttled rate.
      for (let n = 0; n < 20; n++) expect((yield* produce(to, "x".repeat(20_000)))[0]).toBe("NONE")
      yield* second.stop
      yield* until(() => partitionOf(leader)?.adding.includes(3 as never) === true)
      const before = world.clock.unsafeCurrentTimeMillis()
      // Meanwhile the replicas in sync are not held.
      expect((yield* produce(to, "x"))[0]).toBe("NONE")
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeLessThan(200)
      yield* until(() => partitionOf(leader)?.replicas.join() === "1,3" && partitionOf(leader)?.adding.length === 0)
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeWithin(2000, 20_000)
    })
  )
})
