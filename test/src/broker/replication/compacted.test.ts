import { expect, test } from "bun:test"
import { Clock, Effect, Either } from "effect"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { decodeRecords } from "../../../../domain/log/record.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { batch } from "../support.ts"
import { createReplicated, partitionOf, ReplicatedWorld, until } from "./support.ts"

const text = new TextEncoder()
const put = (to: Link, keys: ReadonlyArray<string>, value: string) =>
  Effect.gen(function* () {
    const timestamp = yield* Clock.currentTimeMillis
    const records = batch([], { records: keys.map((key) => ({ timestamp, key: text.encode(key), value: text.encode(value) })) })
    const request = { acks: -1, timeoutMs: 5000, topicData: [{ name: "orders", partitionData: [{ index: 0, records }] }] }
    const { responses } = yield* to.call(Produce, request, { version: 9 })
    expect(responses[0]?.partitionResponses[0]?.errorCode).toBe(0)
  })
/** Offset, key and value of every record, and how many batches have none. */
const readAll = (to: Link) =>
  Effect.gen(function* () {
    const records: Array<string> = []
    let empty = 0
    for (let from = 0; ; ) {
      const topics = [{ topic: "orders", partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: 1_000_000 }] }]
      const { responses } = yield* to.call(Fetch, { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000_000, topics }, { version: 12 })
      const batches = Either.getOrThrow(readableBatches(responses[0]?.partitions[0]?.records ?? new Uint8Array(0)))
      if (batches.length === 0) return { records, empty }
      for (const one of batches) {
        if (one.recordCount === 0) empty++
        for (const { key, offset, value } of Either.getOrThrow(decodeRecords(one, one.records)))
          if (offset >= from) records.push(`${offset} ${key && Buffer.from(key)}=${value && Buffer.from(value)}`)
        from = one.nextOffset
      }
    }
  })

const newest = (records: ReadonlyArray<string>) => new Map(records.map((one) => [one.replace(/^\d+ |=.*$/g, ""), one] as const))

test("a compacted topic: a replica that begins anew copies over the gaps, joins, leads, and is copied from in its turn", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const settings = { "log.cleaner.backoff.ms": 1000, "replica.fetch.max.bytes": 1 }
      const leader = yield* world.leader()
      const first = yield* world.broker(1, settings)
      const second = yield* world.broker(2, settings)
      yield* createReplicated(leader, [1, 2], { "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "segment.ms": "1000" })
      const to = yield* world.link(1)
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      // Whole batches and parts of others are superseded, over several segments.
      for (let n = 0; n < 12; n++) {
        yield* put(to, ["a", "b", `only ${n}`], `round ${n}`)
        yield* put(to, ["a", "b"], `again ${n}`)
        yield* Effect.sleep(1200)
      }
      yield* Effect.sleep(60_000)
      const compacted = yield* readAll(to)
      expect(compacted.records.length).toBeGreaterThan(12)
      expect(compacted.records.length).toBeLessThan(24)
      world.wipe(2)
      const anew = yield* world.broker(2, settings)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* put(to, ["a"], "both")
      const expected = [...compacted.records, "60 a=both"]
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* Effect.sleep(1000)
      expect((yield* readAll(yield* world.link(2))).records).toEqual(expected)
      // Its copy has batches in the place of the gaps, which the next replica copies.
      world.wipe(1)
      const last = yield* world.broker(1, settings)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* anew.stop
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(1000)
      const again = (yield* readAll(yield* world.link(1))).records
      // Broker 2 compacted as well, so some superseded records are gone; the newest of each key are the same.
      expect(newest(again)).toEqual(newest(expected))
      expect(expected).toEqual(expect.arrayContaining([...again]))
      yield* last.stop
    })
  )
})

test("a follower compacts its own copy while another broker leads, and has the newest of each key when it leads", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const settings = { "log.cleaner.backoff.ms": 1000 }
      const leader = yield* world.leader()
      const first = yield* world.broker(1, settings)
      const second = yield* world.broker(2, settings)
      yield* createReplicated(leader, [1, 2], { "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "segment.ms": "1000" })
      const to = yield* world.link(1)
      for (let n = 0; n < 12; n++) {
        yield* put(to, ["a", "b", `only ${n}`], `round ${n}`)
        yield* put(to, ["a", "b"], `again ${n}`)
        yield* Effect.sleep(1200)
      }
      yield* Effect.sleep(60_000)
      expect(partitionOf(leader)).toMatchObject({ leader: 1, isr: [1, 2] })
      const led = yield* readAll(to)
      const followed = yield* readAll(yield* world.link(2))
      expect(followed.records.length).toBeLessThan(24)
      expect(newest(followed.records)).toEqual(newest(led.records))
      // What it follows next, and what it leads with, fits behind what it has compacted.
      yield* put(to, ["a"], "both")
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* Effect.sleep(1000)
      yield* put(yield* world.link(2), ["b"], "alone")
      const all = yield* readAll(yield* world.link(2))
      expect(newest(all.records)).toEqual(newest([...led.records, "60 a=both", "61 b=alone"]))
      // The broker that led has a copy with other gaps, and follows.
      const again = yield* world.broker(1, settings)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* second.stop
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(1000)
      expect(newest((yield* readAll(yield* world.link(1))).records)).toEqual(newest(all.records))
      yield* again.stop
    })
  )
})
