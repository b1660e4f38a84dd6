import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { sequenced } from "../support.ts"
import { consume, createReplicated, isolate, partitionOf, produce, produceBatch, ReplicatedWorld, until, valuesOn } from "./support.ts"

test("three replicas: acks=all waits for all of the in-sync set, and consumers read what all have", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* Effect.sleep(1000)
      for (let n = 0; n < 20; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      expect(yield* consume(to, 0)).toMatchObject({ error: "NONE", highWatermark: 20 })
      expect((yield* consume(to, 0)).bytes).toBeGreaterThan(0)
      // A follower serves the consumers that may read from one (KIP-392).
      expect(yield* consume(yield* world.link(2), 0, 10)).toMatchObject({ error: "NOT_LEADER_OR_FOLLOWER" })
      expect((yield* produce(yield* world.link(2), "x"))[0]).toBe("NOT_LEADER_OR_FOLLOWER")
    })
  )
})

test("a follower that stops leaves the in-sync set, catches up when it restarts, and joins again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      for (let n = 5; n < 10; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      expect(yield* consume(to, 0)).toMatchObject({ highWatermark: 10 })
      yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* produce(to, "record 10")).toEqual(["NONE", 10])
    })
  )
})

test("a leader that stops is replaced by a replica of the in-sync set, which has all that was acknowledged; the old one follows it", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      const second = yield* world.link(2)
      yield* Effect.sleep(1000)
      expect(yield* produce(second, "record 5")).toEqual(["NONE", 5])
      expect(yield* consume(second, 0)).toMatchObject({ error: "NONE", highWatermark: 6 })
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* produce(second, "record 6")).toEqual(["NONE", 6])
    })
  )
})

test("with fewer replicas in sync than min.insync.replicas nothing is written by acks=all; acks=1 is, and consumers do not see it", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1)
      const others = [yield* world.broker(2), yield* world.broker(3)]
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      expect(yield* produce(to, "record 0")).toEqual(["NONE", 0])
      for (const { stop } of others) yield* stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      yield* Effect.sleep(1000)
      expect((yield* produce(to, "refused"))[0]).toBe("NOT_ENOUGH_REPLICAS")
      expect(yield* produce(to, "record 1", 1)).toEqual(["NONE", 1])
      expect(yield* consume(to, 0)).toMatchObject({ error: "NONE", highWatermark: 1 })
      yield* world.broker(2)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(to, "record 2")).toEqual(["NONE", 2])
      expect(yield* consume(to, 0)).toMatchObject({ highWatermark: 3 })
    })
  )
})

test("batches behind one that was refused for too few replicas in sync are refused too, until that one comes again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      const sent = (sequence: number) => produceBatch(to, sequenced([`record ${sequence}`], 7n, sequence), { timeoutMs: 60_000 })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* Effect.sleep(1000)
      expect(yield* sent(0)).toEqual(["NONE", 0])
      isolate(world, 2)
      isolate(world, 3)
      const waiting = yield* Effect.fork(sent(1))
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      yield* Effect.sleep(1000)
      // Their responses wait for the one of record 1, so the client sends on.
      const refused = yield* Effect.forEach([2, 3], (sequence) => Effect.fork(sent(sequence)))
      yield* Effect.sleep(1000)
      world.network.heal()
      yield* until(() => (partitionOf(leader)?.isr.length ?? 0) > 1)
      yield* Effect.sleep(1000)
      const behind = yield* sent(4)
      expect(yield* Fiber.join(waiting)).toEqual(["NONE", 1])
      for (const each of [...(yield* Effect.forEach(refused, Fiber.join)), behind]) expect(each[0]).toBe("NOT_ENOUGH_REPLICAS")
      for (const sequence of [2, 3, 4]) expect(yield* sent(sequence)).toEqual(["NONE", sequence])
      expect(yield* valuesOn(to)).toEqual([0, 1, 2, 3, 4].map((nth) => `record ${nth}`))
    })
  )
})

test("a leader that is cut off acknowledges nothing by acks=all; when it is back it cuts what the new leader does not have", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1)
      const others = [yield* world.broker(2), yield* world.broker(3)]
      yield* createReplicated(leader, [1, 2, 3])
      const [first, second] = [yield* world.link(1), yield* world.link(2)]
      for (let n = 0; n < 3; n++) expect(yield* produce(first, `both ${n}`)).toEqual(["NONE", n])
      isolate(world, 1)
      // The old leader does not know yet that it is fenced.
      expect(yield* produce(first, "old 3", 1)).toEqual(["NONE", 3])
      expect((yield* produce(first, "old 4", -1, 1000))[0]).toBe("REQUEST_TIMED_OUT")
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* Effect.sleep(1000)
      expect(yield* produce(second, "new 3")).toEqual(["NONE", 3])
      expect(yield* valuesOn(first)).toEqual(["both 0", "both 1", "both 2"])
      world.network.heal()
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* produce(second, "new 4")).toEqual(["NONE", 4])
      // The first broker alone has all that was acknowledged, and nothing else.
      for (const { stop } of others) yield* stop
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(1000)
      expect(yield* valuesOn(first)).toEqual(["both 0", "both 1", "both 2", "new 3", "new 4"])
    })
  )
})

test("a leader that has to follow before its last records are synced fetches once they are, and joins again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const { disk } = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      const first = yield* world.link(1)
      expect(yield* produce(first, "both 0")).toEqual(["NONE", 0])
      disk.syncDelayMs = 8000
      isolate(world, 1)
      expect(yield* produce(first, "old 1", 1)).toEqual(["NONE", 1])
      yield* until(() => partitionOf(leader)?.leader === 2)
      world.network.heal()
      disk.syncDelayMs = 0
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* produce(yield* world.link(2), "new 1")).toEqual(["NONE", 1])
    })
  )
})

test("a follower that cannot reach its leader is taken out of the in-sync set after 30 s, though its session lives, and joins again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      expect(yield* produce(to, "0")).toEqual(["NONE", 0])
      world.network.cut("broker-3", "broker-1")
      expect((yield* produce(to, "1", -1, 5000))[0]).toBe("REQUEST_TIMED_OUT")
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(to, "2")).toEqual(["NONE", 2])
      world.network.heal()
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* produce(to, "3")).toEqual(["NONE", 3])
      expect(yield* valuesOn(to)).toEqual(["0", "1", "2", "3"])
    })
  )
})

test("the start of the leader's log is followed: after an election deleted records stay deleted", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      const topics = [{ name: "orders", partitions: [{ partitionIndex: 0, offset: 3n }] }]
      const deleted = yield* to.call(DeleteRecords, { topics, timeoutMs: 5000 })
      expect(deleted.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, lowWatermark: 3n })
      yield* Effect.sleep(5000)
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* Effect.sleep(1000)
      const second = yield* world.link(2)
      expect((yield* consume(second, 2)).error).toBe("OFFSET_OUT_OF_RANGE")
      expect(yield* consume(second, 3)).toMatchObject({ error: "NONE", highWatermark: 5 })
    })
  )
})

test("a replica that restarts alone serves what it knows to be committed, though too few replicas are in sync to commit more", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const all = [yield* world.broker(1), yield* world.broker(2), yield* world.broker(3)]
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      // A follower gets the last high watermark with its next fetch.
      yield* Effect.sleep(6000)
      for (const { stop } of all) yield* stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      yield* world.broker(3)
      yield* until(() => partitionOf(leader)?.leader === 3)
      yield* Effect.sleep(1000)
      expect(yield* consume(yield* world.link(3), 0)).toMatchObject({ error: "NONE", highWatermark: 5 })
    })
  )
})
