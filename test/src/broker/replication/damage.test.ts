import { expect, test } from "bun:test"
import { Effect } from "effect"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, topicId, until, valuesOn } from "./support.ts"

const directory = `/data/${topicId}-0`
const values = (count: number) => Array.from({ length: count }, (_, n) => `record ${n}`)
const small = { "segment.bytes": "300" }
/** No scrub, and no memory of the newest records: each read goes to the disk. */
const unscrubbed = { scrubIntervalMs: 1e12, scrubFirstAfterMs: 1e12, tailBytesMax: 0, tailBytesMaxPerLog: 0 }
const scrubbed = { scrubFirstAfterMs: 0, scrubIntervalMs: 1000, scrubBytesPerSecondMax: Number.POSITIVE_INFINITY }

const has = (disk: MemoryDisk | undefined, path: string): boolean => disk?.session().exists(path) ?? false

/** Changes a byte of a file of the log: the first segment, unless `file` names another. */
const flip = (disk: MemoryDisk | undefined, position: number, file = "00000000000000000000.log"): void => {
  const opened = disk?.session().open(`${directory}/${file}`, "write")
  const byte = new Uint8Array(1)
  opened?.read(byte, position)
  opened?.write([byte.map((before) => before ^ 4)], position)
}

const replicatedOrders = (world: ReplicatedWorld, configs: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    const brokers = [yield* world.broker(1), yield* world.broker(2), yield* world.broker(3)]
    yield* createReplicated(leader, [1, 2, 3], configs)
    const to = yield* world.link(1)
    for (let n = 0; n < 10; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
    return { leader, brokers, to }
  })

test("a log that is found damaged at the start is set aside, and the replica is copied again and joins", () => {
  const world = new ReplicatedWorld(unscrubbed)
  return world.run(
    Effect.gen(function* () {
      const { brokers, leader } = yield* replicatedOrders(world)
      yield* brokers[2]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      flip(world.disks.get(3), 70)
      yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(has(world.disks.get(3), `${directory}.damaged`)).toBe(true)
      for (const at of [0, 1]) yield* brokers[at]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.leader === 3)
      expect(yield* valuesOn(yield* world.link(3))).toEqual(values(10))
    })
  )
})

test("damage that a scrub finds on a follower: it leaves the in-sync set, is copied again, and joins", () => {
  const world = new ReplicatedWorld(scrubbed)
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* replicatedOrders(world, small)
      flip(world.disks.get(2), 70)
      const before = partitionOf(leader)?.partitionEpoch ?? 0
      yield* until(() => has(world.disks.get(2), `${directory}.damaged`))
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      // It left the set and joined again.
      expect(partitionOf(leader)?.partitionEpoch).toBe(before + 2)
      expect(yield* produce(to, "record 10")).toEqual(["NONE", 10])
    })
  )
})

test("damage that a scrub finds on the leader: another replica leads, and the damaged one is copied from it", () => {
  const world = new ReplicatedWorld(scrubbed)
  return world.run(
    Effect.gen(function* () {
      const { brokers, leader } = yield* replicatedOrders(world, small)
      flip(world.disks.get(1), 70)
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(has(world.disks.get(1), `${directory}.damaged`)).toBe(true)
      for (const at of [1, 2]) yield* brokers[at]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.leader === 1)
      expect(yield* valuesOn(yield* world.link(1))).toEqual(values(10))
    })
  )
})

test("damage that a read finds on the leader: another replica leads, and serves the same records", () => {
  const world = new ReplicatedWorld(unscrubbed)
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* replicatedOrders(world, small)
      // The magic byte of the first batch.
      flip(world.disks.get(1), 16)
      expect(yield* valuesOn(to)).toEqual([])
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(has(world.disks.get(1), `${directory}.damaged`)).toBe(true)
      // The high watermark of the new leader follows the fetches of the other replicas.
      const served = valuesOn(yield* world.link(2))
      expect(yield* Effect.repeat(Effect.delay(served, 10), { until: ({ length }) => length === 10, times: 1000 })).toEqual(values(10))
    })
  )
})

test("damage that only a follower finds, which copies the log: another replica leads, and the follower is given whole records", () => {
  const world = new ReplicatedWorld(unscrubbed)
  return world.run(
    Effect.gen(function* () {
      const { brokers, leader } = yield* replicatedOrders(world, small)
      yield* brokers[2]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      // A record of the first batch: its header says nothing of it.
      flip(world.disks.get(1), 70)
      world.disks.delete(3)
      yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(has(world.disks.get(1), `${directory}.damaged`)).toBe(true)
      expect(yield* valuesOn(yield* world.link(2))).toEqual(values(10))
    })
  )
})

test("the last copy is not set aside, though it is damaged: its broker serves nothing, and the records stay for the repair", () => {
  const world = new ReplicatedWorld(scrubbed)
  return world.run(
    Effect.gen(function* () {
      const { brokers, leader, to } = yield* replicatedOrders(world, small)
      for (const at of [1, 2]) yield* brokers[at]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      expect(yield* produce(to, "record 10")).toEqual(["NONE", 10])
      flip(world.disks.get(1), 70)
      let error = "NONE"
      yield* Effect.repeat(
        Effect.tap(Effect.delay(produce(to, "more"), 100), ([said]) => Effect.sync(() => void (error = said))),
        {
          until: () => error !== "NONE",
          times: 100
        }
      )
      expect(error).toBe("KAFKA_STORAGE_ERROR")
      yield* world.broker(2)
      yield* Effect.sleep(5000)
      expect(partitionOf(leader)).toMatchObject({ leader: 1, isr: [1] })
      expect(has(world.disks.get(1), `${directory}.damaged`)).toBe(false)
      expect(has(world.disks.get(1), directory)).toBe(true)
    })
  )
})
