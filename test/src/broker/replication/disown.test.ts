import { expect, test } from "bun:test"
import { Effect } from "effect"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const values = (count: number) => Array.from({ length: count }, (_, n) => `record ${n}`)

test("a follower that restarts with an empty disk leaves the in-sync set, is copied anew, and has all records when it leads", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      const second = yield* world.broker(2)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      world.wipe(3)
      yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      // Only the broker with the new disk is left.
      for (const { stop } of [first, second]) yield* stop
      yield* until(() => partitionOf(leader)?.leader === 3)
      expect(yield* valuesOn(yield* world.link(3))).toEqual(values(5))
    })
  )
})

test("an eligible replica with an empty disk is not elected, though no replica of the in-sync set runs (KAFKA-14139)", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      const second = yield* world.broker(2)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* second.stop
      yield* until(() => partitionOf(leader)?.leader === 3)
      yield* third.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      const before = partitionOf(leader)
      const vouched = [...(before?.isr ?? []), ...(before?.elr ?? [])]
      expect(vouched.length).toBeGreaterThan(1)
      expect(vouched).toContain(2 as never)
      // The broker that comes first has lost its disk.
      world.wipe(2)
      yield* world.broker(2)
      yield* until(() => {
        const now = partitionOf(leader)
        return now !== undefined && !now.isr.includes(2 as never) && !now.elr.includes(2 as never)
      })
      yield* Effect.sleep(5000)
      expect(partitionOf(leader)?.leader).toBe(-1)
      for (const id of [1, 3]) yield* world.broker(id)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* valuesOn(yield* world.link(partitionOf(leader)?.leader ?? -1))).toEqual(values(5))
    })
  )
})

test("the last copy is not disowned: its broker with an empty disk serves nothing until the disk is back, and nothing is lost", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [1, 2])
      const to = yield* world.link(1)
      expect(yield* produce(to, "record 0")).toEqual(["NONE", 0])
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      expect(yield* produce(to, "record 1")).toEqual(["NONE", 1])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      world.wipe(1)
      const wiped = yield* world.broker(1)
      yield* world.broker(2)
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(2000)
      expect((yield* produce(yield* world.link(1), "lost"))[0]).toBe("KAFKA_STORAGE_ERROR")
      yield* wiped.stop
      world.disks.set(1, first.disk)
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* valuesOn(yield* world.link(partitionOf(leader)?.leader ?? -1))).toEqual(values(2))
    })
  )
})
