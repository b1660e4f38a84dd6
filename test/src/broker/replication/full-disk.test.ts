import { expect, test } from "bun:test"
import { Effect } from "effect"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const values = (count: number) => Array.from({ length: count }, (_, n) => `record ${n}`)
const diskOf = (world: ReplicatedWorld, id: number) => world.disks.get(id) as MemoryDisk
const fill = (disk: MemoryDisk): void => {
  disk.capacityBytes = disk.usedBytes
}
const free = (disk: MemoryDisk): void => {
  disk.capacityBytes = Number.POSITIVE_INFINITY
}
const elapsedMs = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())

const replicatedOrders = (world: ReplicatedWorld, replicas: ReadonlyArray<number>, partitions = 1) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    for (const id of replicas) yield* world.broker(id)
    yield* createReplicated(leader, replicas, {}, partitions)
    const to = yield* world.link(1)
    yield* until(() => partitionOf(leader)?.isr.length === replicas.length)
    expect(yield* produce(to, "record 0")).toEqual(["NONE", 0])
    return { leader, to }
  })

test("a partition leader without space gives up all its partitions at once, follows, and is in sync again when there is space", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* replicatedOrders(world, [1, 2, 3], 2)
      fill(diskOf(world, 1))
      const since = yield* elapsedMs
      expect((yield* produce(to, "refused"))[0]).toBe("KAFKA_STORAGE_ERROR")
      // The idle partition too: its next record would fail.
      yield* until(() => partitionOf(leader, 0)?.leader === 2 && partitionOf(leader, 1)?.leader === 2)
      for (const partition of [0, 1]) expect(partitionOf(leader, partition)).toMatchObject({ isr: [2, 3] })
      const other = yield* world.link(2)
      yield* Effect.repeat(produce(other, "record 1"), { until: ([error]) => error === "NONE" })
      expect((yield* elapsedMs) - since).toBeLessThan(1000)
      for (let n = 2; n < 10; n++) expect(yield* produce(other, `record ${n}`)).toEqual(["NONE", n])
      // It stays away from both partitions while its disk is full, also from the one that gets no records.
      const epochs = [partitionOf(leader, 0)?.partitionEpoch, partitionOf(leader, 1)?.partitionEpoch]
      yield* Effect.sleep(20_000)
      expect([partitionOf(leader, 0)?.partitionEpoch, partitionOf(leader, 1)?.partitionEpoch]).toEqual(epochs)
      free(diskOf(world, 1))
      yield* until(() => partitionOf(leader, 0)?.isr.length === 3 && partitionOf(leader, 1)?.isr.length === 3)
      yield* until(() => partitionOf(leader, 0)?.leader === 2)
      expect(yield* valuesOn(other)).toEqual(values(10))
    })
  )
})

test("a follower without space leaves the in-sync set at once: acks=all does not wait for it", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* replicatedOrders(world, [1, 2, 3])
      fill(diskOf(world, 3))
      const since = yield* elapsedMs
      // The leader epoch rises with the follower that leaves: the producer sends the record again.
      yield* Effect.repeat(produce(to, "record 1"), { until: ([error]) => error === "NONE" })
      expect((yield* elapsedMs) - since).toBeLessThan(2000)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(partitionOf(leader)).toMatchObject({ leader: 1, isr: [1, 2] })
      free(diskOf(world, 3))
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect((yield* produce(to, "last"))[0]).toBe("NONE")
    })
  )
})

test("the last replica in sync keeps its partition while its disk is full: it can be read, and takes records again by itself", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* replicatedOrders(world, [1, 2])
      fill(diskOf(world, 2))
      yield* Effect.repeat(produce(to, "record 1"), { until: ([error]) => error === "NONE" })
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      fill(diskOf(world, 1))
      expect((yield* produce(to, "refused"))[0]).toBe("KAFKA_STORAGE_ERROR")
      yield* Effect.sleep(5000)
      expect(partitionOf(leader)).toMatchObject({ leader: 1, isr: [1] })
      expect((yield* valuesOn(to)).slice(0, 2)).toEqual(values(2))
      // The other one has space first: it joins, and leads.
      free(diskOf(world, 2))
      yield* until(() => partitionOf(leader)?.leader === 2)
      const other = yield* world.link(2)
      yield* Effect.repeat(produce(other, "last"), { until: ([error]) => error === "NONE" })
      free(diskOf(world, 1))
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect((yield* valuesOn(other)).at(-1)).toBe("last")
    })
  )
})

test("a new partition on a disk that is read-only: another replica leads, and the log is made when the disk is writable", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      yield* leader.writer.when((cluster) => ([...cluster.brokers].filter(([, { fenced }]) => !fenced).length === 2 ? true : undefined))
      diskOf(world, 1).isReadOnly = true
      yield* createReplicated(leader, [1, 2])
      yield* until(() => partitionOf(leader)?.leader === 2)
      const other = yield* world.link(2)
      yield* Effect.repeat(produce(other, "record 0"), { until: ([error]) => error === "NONE" })
      diskOf(world, 1).isReadOnly = false
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* valuesOn(other)).toEqual(values(1))
    })
  )
})

test("a follower without space deletes what retention does not keep, though it hears nothing of its leader", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1)
      const { broker } = yield* world.broker(2, { "log.retention.check.interval.ms": 1000 })
      yield* createReplicated(leader, [1, 2], { "segment.bytes": "300", "retention.ms": "60000", "message.timestamp.type": "LogAppendTime" })
      const to = yield* world.link(1)
      for (let n = 0; n < 10; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      fill(diskOf(world, 2))
      yield* Effect.repeat(produce(to, "record 10"), { until: ([error]) => error === "NONE" })
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      const [replica] = broker.replicas()
      expect(replica?.start()).toBe(0)
      yield* Effect.sleep("70 seconds")
      yield* until(() => (replica?.start() ?? 0) > 0)
      expect(partitionOf(leader)?.isr).toEqual([1] as never)
    })
  )
})
