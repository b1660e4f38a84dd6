import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { type Append, type AppendContext, decideAppend, emptyLog, evolve, type LogState } from "../../../domain/log/append.ts"
import { attribute, copyBatch, fieldAt, RecordBatch, splitBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../domain/log/int.ts"
import { noProducers } from "../../../domain/log/producer-state.ts"
import { sequenceAfter, sequenceMax } from "../../../domain/log/sequence.ts"
import { makeBatch, noPacking, sequenced } from "./make-batch.ts"

const now = 1_700_000_000_000
const context: AppendContext = {
  leaderEpoch: 7,
  now,
  crc32c,
  packing: noPacking,
  batchBytesMax: 10_000,
  segmentBytesMax: 1_000_000,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: 3_600_000
}
const given = (end: number): LogState => ({ end, producers: noProducers })
const decide = (state: LogState, batch: RecordBatch, over: Partial<AppendContext> = {}) => decideAppend(state, [batch], { ...context, ...over })
const errorOf = (result: ReturnType<typeof decideAppend>) => Either.getOrUndefined(Either.flip(result))?.error
const append = (state: LogState, batch: RecordBatch, over: Partial<AppendContext> = {}): readonly [Append, LogState] => {
  const decided = Either.getOrThrow(decide(state, batch, over))
  if (decided._tag !== "Append") throw new Error("The batch was taken for a duplicate.")
  return [decided, evolve(state, decided.batch, now)]
}
/** Changes a produced batch and updates its CRC. */
const altered = (batch: RecordBatch, change: (bytes: Uint8Array) => void): RecordBatch => {
  change(batch.bytes)
  writeInt32(batch.bytes, fieldAt.crc, crc32c(batch.bytes, fieldAt.attributes))
  return batch
}
const withBit = (bit: number): RecordBatch =>
  altered(makeBatch(2), (bytes) => bytes.set([(bytes[fieldAt.attributes + 1] as number) | bit], fieldAt.attributes + 1))

describe("an append", () => {
  test("takes the log's end as its base, in the batch's own bytes, and moves the end (L6)", () => {
    const batch = makeBatch(3)
    const [decided, state] = append(given(42), batch)
    expect(decided).toMatchObject({ baseOffset: 42, lastOffset: 44, logAppendTime: -1 })
    expect(decided.batch.bytes).toBe(batch.bytes)
    expect([batch.baseOffset, batch.partitionLeaderEpoch, verify(batch, crc32c)]).toEqual([42, 7, undefined])
    expect(state.end).toBe(45)
  })

  test("any batches are contiguous from the end on (L5, L6)", () =>
    fc.assert(
      fc.property(fc.nat(2 ** 50), fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 20 }), (start, counts) => {
        let state = given(start)
        for (const count of counts) {
          const before = state.end
          const [decided, after] = append(state, makeBatch(count))
          expect([decided.baseOffset, decided.lastOffset, after.end]).toEqual([before, before + count - 1, before + count])
          state = after
        }
      })
    ))

  test("is stamped where the topic has log append time", () => {
    const batch = makeBatch(2)
    const [decided] = append(given(0), batch, { timestampType: "LogAppendTime" })
    expect(decided.logAppendTime).toBe(now)
    expect([batch.timestampType, batch.maxTimestamp, verify(batch, crc32c)]).toEqual(["LogAppendTime", now, undefined])
  })
})

describe("a rejection", () => {
  test.each([
    ["no batch", [], "INVALID_RECORD"],
    ["two batches", [makeBatch(1), makeBatch(1)], "INVALID_RECORD"]
  ] as const)("%s", (_, batches, error) => expect(errorOf(decideAppend(emptyLog, batches, context))).toBe(error))

  test.each([
    ["a base offset", makeBatch(1, { baseOffset: 5 }), "INVALID_RECORD"],
    ["too large a batch", makeBatch(3000), "MESSAGE_TOO_LARGE"],
    ["a control batch", makeBatch(1, { isControl: true }), "INVALID_RECORD"],
    ["a transactional batch", makeBatch(1, { isTransactional: true }), "INVALID_TXN_STATE"],
    ["no records", makeBatch(0), "INVALID_RECORD"],
    ["fewer records than offsets", altered(makeBatch(2), (bytes) => writeInt32(bytes, fieldAt.recordCount, 1)), "INVALID_RECORD"],
    [
      "more records than its bytes can hold",
      altered(makeBatch(2), (bytes) => {
        writeInt32(bytes, fieldAt.recordCount, 2 ** 31 - 1)
        writeInt32(bytes, fieldAt.lastOffsetDelta, 2 ** 31 - 2)
      }),
      "INVALID_RECORD"
    ],
    ["a negative record count", altered(makeBatch(2), (bytes) => writeInt32(bytes, fieldAt.recordCount, -1)), "INVALID_RECORD"],
    ["an idempotent batch without sequence", sequenced(1n, 0, -1, 1), "INVALID_RECORD"],
    ["an idempotent batch without epoch", sequenced(1n, -1, 0, 1), "INVALID_RECORD"],
    ["an unknown codec", withBit(7), "UNSUPPORTED_COMPRESSION_TYPE"],
    ["log append time by the producer", withBit(attribute.logAppendTime), "INVALID_TIMESTAMP"],
    ["a timestamp over an hour ahead", makeBatch(1, {}, now + 3_600_001), "INVALID_TIMESTAMP"],
    [
      "a timestamp of 2^63 - 1",
      altered(makeBatch(1), (bytes) => bytes.set([0x7f, 255, 255, 255, 255, 255, 255, 255], fieldAt.maxTimestamp)),
      "INVALID_TIMESTAMP"
    ]
  ] as const)("%s", (_, batch, error) => {
    const before = copyBatch(batch)
    const split = splitBatches(batch.bytes)
    const found = Either.isLeft(split) ? split.left.error : errorOf(decideAppend(emptyLog, split.right, context))
    expect(found as string | undefined).toBe(error)
    expect(batch.bytes).toEqual(before.bytes)
  })

  test("a batch that no segment can hold", () => expect(errorOf(decide(emptyLog, makeBatch(50), { segmentBytesMax: 100 }))).toBe("RECORD_LIST_TOO_LARGE"))

  test("timestamps just inside the limits are accepted, and so is no timestamp", () => {
    const limits = { timestampBeforeMaxMs: 10, timestampAfterMaxMs: 10 }
    for (const timestamp of [now - 10, now, now + 10, -1]) expect(Either.isRight(decide(emptyLog, makeBatch(1, {}, timestamp), limits))).toBe(true)
    for (const timestamp of [now - 11, now + 11]) expect(errorOf(decide(emptyLog, makeBatch(1, {}, timestamp), limits))).toBe("INVALID_TIMESTAMP")
  })

  test("a flipped bit anywhere from the CRC on is CORRUPT_MESSAGE", () =>
    fc.assert(
      fc.property(fc.nat(), fc.nat(7), (at, bit) => {
        const batch = makeBatch(5)
        const where = fieldAt.crc + (at % (batch.bytes.length - fieldAt.crc))
        batch.bytes[where] = (batch.bytes[where] as number) ^ (1 << bit)
        expect(errorOf(decide(emptyLog, batch))).toBe("CORRUPT_MESSAGE")
      })
    ))
})

describe("an idempotent producer", () => {
  test("a retry gets the first response, with the time of the first append (L4)", () => {
    const stamped = { timestampType: "LogAppendTime" } as const
    const [first, state] = append(given(10), sequenced(9n, 0, 0, 3), stamped)
    const again = Either.getOrThrow(decide(state, sequenced(9n, 0, 0, 3), { ...stamped, now: now + 5000 }))
    expect(again).toEqual({ _tag: "Duplicate", baseOffset: first.baseOffset, lastOffset: 12, logAppendTime: now })
    expect(Either.getOrThrow(decide(state, sequenced(9n, 0, 0, 3)))).toMatchObject({ logAppendTime: -1 })
  })

  /** The log's batches of one producer, as [first sequence, base offset]. */
  const run = (starts: ReadonlyArray<readonly [sequence: number, count: number]>, deliveries: ReadonlyArray<number>) => {
    let state = given(100)
    const placed = new Map<number, number>()
    const order: Array<number> = []
    for (const index of deliveries) {
      const [sequence, count] = starts[index % starts.length] as readonly [number, number]
      const decided = decide(state, sequenced(3n, 2, sequence, count))
      const which = index % starts.length
      const last = order.at(-1)
      // A producer without state may start at any sequence; each later batch is next, among the last five, or refused.
      const expected = last === undefined || which === last + 1 ? "Append" : order.slice(-5).includes(which) ? "Duplicate" : "OUT_OF_ORDER_SEQUENCE_NUMBER"
      expect(Either.match(decided, { onLeft: ({ error }) => error as string, onRight: ({ _tag }) => _tag })).toBe(expected)
      if (Either.isLeft(decided)) continue
      if (decided.right._tag === "Duplicate") {
        // L4: the same offset as the first time, and never one that was not assigned.
        expect(decided.right.baseOffset).toBe(placed.get(which) as number)
        continue
      }
      expect(placed.has(which)).toBe(false)
      placed.set(which, decided.right.baseOffset)
      order.push(which)
      state = evolve(state, decided.right.batch, now)
    }
    return { order, placed, state }
  }
  const anyStarts = fc
    .tuple(fc.constantFrom(0, 500, sequenceMax - 5, sequenceMax), fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 12 }))
    .map(([first, counts]) => {
      let next = first
      return counts.map((count) => {
        const sequence = next
        next = sequenceAfter(next, count)
        return [sequence, count] as const
      })
    })

  test("any order of sends, with losses and repetitions: each batch once, in sequence, at one offset (L4, L5)", () =>
    fc.assert(
      fc.property(anyStarts, fc.array(fc.nat(20), { maxLength: 60 }), (starts, deliveries) => {
        const { order, placed } = run(starts, deliveries)
        expect(order).toEqual(order.map((_, i) => (order[0] as number) + i))
        const offsets = order.map((index) => placed.get(index) as number)
        expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
      }),
      { numRuns: 300 }
    ))

  test("a producer that retries each batch until it is acknowledged stores all of them, whichever responses are lost (L4, L5)", () =>
    fc.assert(
      fc.property(anyStarts, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), (starts, lost) => {
        let coin = 0
        const deliveries = starts.flatMap((_, i) => (lost[coin++ % lost.length] ? [i, i] : [i]))
        expect(run(starts, deliveries).order).toEqual(starts.map((_, i) => i))
      })
    ))

  test("the state rebuilt from headers alone decides the same (L4)", () =>
    fc.assert(
      fc.property(anyStarts, fc.array(fc.nat(20), { maxLength: 40 }), (starts, deliveries) => {
        let live: LogState = given(0)
        const log: Array<RecordBatch> = []
        for (const index of deliveries) {
          const [sequence, count] = starts[index % starts.length] as readonly [number, number]
          const decided = decide(live, sequenced(3n, 2, sequence, count))
          if (Either.isLeft(decided) || decided.right._tag === "Duplicate") continue
          live = evolve(live, decided.right.batch, now)
          log.push(new RecordBatch(decided.right.batch.bytes.slice(0, 61)))
        }
        expect(log.reduce((state, batch) => evolve(state, batch, now), emptyLog)).toEqual(live)
      })
    ))
})
