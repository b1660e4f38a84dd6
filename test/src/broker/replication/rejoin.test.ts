import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import { createReplicated, isolate, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

test("a broker that restarts again and again is in sync as soon after the last restart as after the first", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      let last = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const to = yield* world.link(1)
      for (let restart = 0; restart < 20; restart++) {
        yield* last.stop
        yield* until(() => partitionOf(leader)?.isr.length === 2)
        expect(yield* produce(to, `record ${restart}`)).toEqual(["NONE", restart])
        const startedAt = world.clock.unsafeCurrentTimeMillis()
        last = yield* world.broker(3)
        yield* until(() => partitionOf(leader)?.isr.length === 3)
        expect([restart, world.clock.unsafeCurrentTimeMillis() - startedAt < 2000]).toEqual([restart, true])
      }
    })
  )
})

test("a broker whose machine was lost registers again from another one when its session is over, though its old connections are still open", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      isolate(world, 1)
      const disk = world.disks.get(1)?.copy()
      if (disk !== undefined) world.disks.set(1, disk)
      const lostAt = world.clock.unsafeCurrentTimeMillis()
      yield* world.broker(1, {}, "elsewhere")
      yield* until(() => partitionOf(leader)?.isr.length === 3 && partitionOf(leader)?.leader !== 1)
      expect(world.clock.unsafeCurrentTimeMillis() - lostAt).toBeLessThan(8000)
    })
  )
})

test("a broker whose connections to the leader are half-open replaces them before it is fenced", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const { partitionEpoch } = partitionOf(leader) ?? {}
      const events = leader.writer.end()
      for (const id of [1, 2, 3]) world.network.freeze(`broker-${id}`, "leader")
      yield* Effect.sleep(20_000)
      expect(partitionOf(leader)).toMatchObject({ leader: 1, partitionEpoch })
      expect(leader.writer.end()).toBe(events)
    })
  )
})

test("half-open connections between brokers stop acks=all for less than a session, not for replica.socket.timeout.ms", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const to = yield* world.link(1)
      expect(yield* produce(to, "record 0")).toEqual(["NONE", 0])
      world.network.freeze("broker-1", "broker-2")
      const at = world.clock.unsafeCurrentTimeMillis()
      expect(yield* produce(to, "record 1", -1, 30_000)).toEqual(["NONE", 1])
      expect(world.clock.unsafeCurrentTimeMillis() - at).toBeLessThan(3000)
      expect(partitionOf(leader)?.isr).toHaveLength(3)
    })
  )
})

test("a replica of a partition without new records joins, though it fetched before its leader knew of its registration", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* produce(yield* world.link(1), "record 0")).toEqual(["NONE", 0])
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* Effect.sleep(100)
      world.network.cut("leader", "broker-1", true)
      yield* world.broker(3)
      yield* Effect.sleep(800)
      world.network.heal()
      const at = world.clock.unsafeCurrentTimeMillis()
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(world.clock.unsafeCurrentTimeMillis() - at).toBeLessThan(2000)
    })
  )
})

test("a follower whose connection is lost again and again fetches again at once each time, since its connections worked", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const to = yield* world.link(1)
      for (let loss = 0; loss < 15; loss++) {
        expect(world.network.drop("broker-2", "broker-1") + world.network.drop("broker-1", "broker-2")).toBeGreaterThan(0)
        const at = world.clock.unsafeCurrentTimeMillis()
        expect(yield* produce(to, `record ${loss}`)).toEqual(["NONE", loss])
        expect([loss, world.clock.unsafeCurrentTimeMillis() - at < 200]).toEqual([loss, true])
        yield* Effect.sleep(300)
      }
    })
  )
})

test("a broker that had to register again changes in-sync sets over connections of its new registration", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      let third = yield* world.broker(3)
      const give = (command: Command, commandId: string) => leader.writer.submit({ command, commandId, actor: "test", cause: "test" })
      const restartThird = Effect.gen(function* () {
        yield* third.stop
        yield* until(() => partitionOf(leader)?.isr.length === 2)
        third = yield* world.broker(3)
        yield* until(() => partitionOf(leader)?.isr.length === 3)
      })
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      // Broker 1 has a connection now over which it changed the set.
      yield* restartThird
      yield* give(Command.UnregisterBroker({ brokerId: 1 }), "unregister")
      yield* until(() => partitionOf(leader)?.leader === 2 && partitionOf(leader)?.isr.length === 3)
      yield* give(Command.ElectLeaders({ kind: "preferred", partitions: null, commandedBy: "test" }), "elect")
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* restartThird
    })
  )
})

test("a replica on a disk that is slower than those of the others joins while records are appended without a pause", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      for (const [id, disk] of world.disks) disk.syncDelayMs = id === 3 ? 50 : 5
      const to = yield* world.link(1)
      const sending = yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.fork(produce(to, "record", 1)), Effect.sleep(10))))
      yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* Fiber.interrupt(sending)
    })
  )
})
