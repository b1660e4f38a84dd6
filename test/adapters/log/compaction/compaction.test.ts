import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import fc from "fast-check"
import { planRepair, repairLog } from "../../../../adapters/log/inspect/repair-log.ts"
import { verifyLog } from "../../../../adapters/log/inspect/verify-log.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { fieldAt, type RecordBatch } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import type { PartitionLog } from "../../../../src/ports/log-store.ts"
import { batchesIn } from "../../../src/ports/log-batches.ts"
import {
  appendAll,
  batchesOf,
  batchOf,
  contentOf,
  directory,
  freshDisk,
  type Kept,
  orderOf,
  recordsOf,
  smallSegments,
  type Told,
  type ToldBatch,
  withLog
} from "./support.ts"

const told = (key: string, value: string | null = `${key}-value`): Told => ({ key, value })
const keyOf = fc.constantFrom("a", "b", "c", "d", "e", "long key of some forty bytes, or a few more", "")
const recordOf: fc.Arbitrary<Told> = fc.record({
  key: fc.oneof({ weight: 12, arbitrary: keyOf }, { weight: 1, arbitrary: fc.constant(null) }),
  value: fc.oneof({ weight: 5, arbitrary: fc.string({ maxLength: 60 }) }, { weight: 1, arbitrary: fc.constant(null) })
})
const batchArbitrary: fc.Arbitrary<ToldBatch> = fc.record({
  records: fc.array(recordOf, { minLength: 1, maxLength: 6 }),
  codec: fc.constantFrom("none", "none", "gzip", "snappy", "lz4", "zstd"),
  timestamp: fc.integer({ min: 1000, max: 3000 })
})
const logArbitrary = fc.array(batchArbitrary, { minLength: 4, maxLength: 25 })

/** What Kafka's log cleaner leaves of records before `to`: the last of each key, and no record without key. Tombstones stay while their horizon has not passed. */
const survivors = (all: ReadonlyArray<Kept>, to: number): ReadonlyArray<Kept> => {
  const last = new Map<string, number>()
  for (const { key, offset } of all) if (key !== null && offset < to) last.set(key, offset)
  return all.filter(({ key, offset }) => offset >= to || (key !== null && last.get(key) === offset))
}
const sealedEnd = (log: PartitionLog): number => log.segments().at(-1)?.baseOffset ?? 0

const identityOf = (batch: RecordBatch) => ({
  baseOffset: batch.baseOffset,
  lastOffset: batch.lastOffset,
  codec: batch.recordCount === 0 ? undefined : batch.codec,
  epoch: batch.partitionLeaderEpoch,
  sequence: batch.baseSequence,
  type: batch.timestampType
})

describe("a round of compaction", () => {
  test("keeps the last record of each key and loses nothing else; offsets, timestamps, order, codecs and epochs stay", async () => {
    await fc.assert(
      fc.asyncProperty(logArbitrary, async (batches) => {
        await withLog(freshDisk(), (log) =>
          Effect.gen(function* () {
            yield* appendAll(log, batches)
            const before = contentOf(log)
            const identities = new Map(batchesOf(log).map((batch) => [batch.baseOffset, identityOf(batch)]))
            const to = sealedEnd(log)
            const done = yield* log.compact(orderOf(log))
            expect(contentOf(log)).toEqual([...survivors(before, to)])
            expect(done.cleanEnd).toBe(to)
            expect(log.cleanEnd()).toBe(to)
            for (const batch of batchesOf(log)) {
              const original = identities.get(batch.baseOffset)
              expect(identityOf(batch)).toEqual({
                ...(original as ReturnType<typeof identityOf>),
                codec: batch.recordCount === 0 ? undefined : original?.codec
              })
            }
          })
        )
      }),
      { numRuns: 40 }
    )
  }, 300_000)

  test("a second round changes nothing; after more appends the result equals one round over all records", async () => {
    await fc.assert(
      fc.asyncProperty(logArbitrary, logArbitrary, async (first, second) => {
        const disk = freshDisk()
        await withLog(disk, (log) =>
          Effect.gen(function* () {
            yield* appendAll(log, first)
            const all: Array<Kept> = [...contentOf(log)]
            yield* log.compact(orderOf(log))
            const once = batchesOf(log).map(({ bytes }) => Buffer.from(bytes).toString("hex"))
            const again = yield* log.compact(orderOf(log, { from: 0 }))
            expect(batchesOf(log).map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual(once)
            expect(again.recordsKept).toBe(again.recordsRead)
            const end = log.end()
            yield* appendAll(log, second)
            all.push(...contentOf(log).filter(({ offset }) => offset >= end))
            const to = sealedEnd(log)
            yield* log.compact(orderOf(log))
            expect(contentOf(log)).toEqual([...survivors(all, to)])
          })
        )
        const content = await withLog(disk, (log) => Effect.sync(() => contentOf(log)))
        disk.crash((bound) => bound - 1)
        expect(await withLog(disk, (log) => Effect.sync(() => contentOf(log)))).toEqual(content)
      }),
      { numRuns: 40 }
    )
  }, 300_000)

  test("with memory for few keys it takes several rounds and ends with the same records", async () => {
    await fc.assert(
      fc.asyncProperty(logArbitrary, fc.integer({ min: 1, max: 4 }), async (batches, keys) => {
        await withLog(freshDisk(), (log) =>
          Effect.gen(function* () {
            yield* appendAll(log, batches)
            const before = contentOf(log)
            const to = sealedEnd(log)
            let rounds = 0
            while (log.cleanEnd() < to) {
              const from = log.cleanEnd()
              yield* log.compact(orderOf(log, { mapBytesMax: (keys + 1) * 24, mapLoadFactor: 1 }))
              expect(log.cleanEnd()).toBeGreaterThan(from)
              expect(++rounds).toBeLessThan(500)
            }
            expect(contentOf(log)).toEqual([...survivors(before, to)])
          })
        )
      }),
      { numRuns: 40 }
    )
  }, 300_000)

  test("a read from any offset returns the next retained batch, through the index and after a restart", async () => {
    const disk = freshDisk()
    const check = (log: PartitionLog): void => {
      const batches = batchesOf(log)
      for (let offset = log.start(); offset < log.end(); offset++)
        for (const bytes of [0, 300, 10_000]) {
          const [found] = batchesIn(Either.getOrThrow(log.read(offset, bytes, log.end())))
          expect(found?.baseOffset).toBe(batches.find(({ nextOffset }) => nextOffset > offset)?.baseOffset)
        }
    }
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        yield* appendAll(
          log,
          Array.from({ length: 120 }, (_, i) => ({ records: [told(`k${(i * i) % 31}`), told("often", `${i}`)] }))
        )
        yield* log.compact(orderOf(log))
        expect(log.segments().length).toBeGreaterThan(3)
        check(log)
        // Small segments are grouped into one segment, with offset gaps at its ends.
        yield* log.compact(orderOf(log, { from: 0 }))
        check(log)
      })
    )
    await withLog(disk, (log) => Effect.sync(() => check(log)))
  })

  test("batchAtTime finds the first retained record and skips a batch without records", async () => {
    await withLog(freshDisk(), (log) =>
      Effect.gen(function* () {
        const producer = (sequence: number) => ({ producer: { id: 7n, sequence } })
        yield* appendAll(log, [
          { records: [told("a", "1"), told("b", "1")], timestamp: 5000 },
          { records: [told("c", "1"), told("d", "x".repeat(500))], timestamp: 9000, ...producer(0) },
          { records: [told("b", "2"), told("c", "2")], timestamp: 6000 },
          { records: [told("d", "2"), told("e", "y".repeat(600))], timestamp: 8000 },
          { records: [told("z", "x".repeat(600))], timestamp: 9500 }
        ])
        const last = (batch: RecordBatch) => batch.hasProducerId && batch.lastOffset === 3
        yield* log.compact(orderOf(log, { isLastOfProducer: last }))
        const all = batchesOf(log)
        expect(all.map(({ baseOffset, recordCount }) => [baseOffset, recordCount])).toEqual([
          [0, 1],
          [2, 0],
          [4, 2],
          [6, 2],
          [8, 1]
        ])
        const at = (timestamp: number) => Either.getOrThrow(log.batchAtTime(timestamp))?.baseOffset
        expect([at(0), at(5000), at(5001), at(6002), at(8500), at(9600)]).toEqual([0, 0, 4, 6, 8, undefined])
      })
    )
  })
})

describe("a tombstone", () => {
  const day = 86_400_000
  for (const codec of ["none", "zstd"] as const)
    test(`is retained until delete.retention.ms after the round that first cleaned it, then is removed (${codec})`, async () => {
      await withLog(freshDisk(), (log) =>
        Effect.gen(function* () {
          yield* appendAll(log, [
            { records: [told("a", "1"), told("b", "1")], codec },
            { records: [told("a", null), told("c", "3")], codec, timestamp: 123_456 },
            { records: [told("z", "x".repeat(800))], codec: "none" },
            { records: [told("z", "x".repeat(800))], codec: "none" }
          ])
          const round = (now: number) => log.compact(orderOf(log, { from: 0, now, deleteRetentionMs: day }))
          yield* round(1_000_000)
          const [, marked] = batchesOf(log)
          expect(marked?.deleteHorizonMs).toBe(1_000_000 + day)
          expect(marked?.baseTimestamp).toBe(1_000_000 + day)
          expect(marked?.maxTimestamp).toBe(123_457)
          expect(marked && recordsOf(marked).map(({ key, timestamp, value }) => [key, timestamp, value])).toEqual([
            ["a", 123_456, null],
            ["c", 123_457, "3"]
          ])
          yield* round(1_000_000 + day - 1)
          expect(contentOf(log).map(({ key }) => key)).toEqual(["b", "a", "c", "z", "z"])
          yield* round(1_000_000 + day)
          expect(contentOf(log).map(({ key, timestamp }) => [key, timestamp])).toEqual([
            ["b", 1001],
            ["c", 123_457],
            ["z", 1000],
            ["z", 1000]
          ])
        })
      )
    })
})

describe("a producer's last batch", () => {
  test("is retained without records, with its offsets and sequence, until the producer appends a newer batch", async () => {
    const disk = freshDisk()
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        const producer = { id: 42n, sequence: 17 }
        yield* appendAll(log, [
          { records: [told("a"), told("b"), told("c")], producer, codec: "gzip" },
          { records: [told("a"), told("b"), told("c")] },
          { records: [told("z", "x".repeat(800))] },
          { records: [told("z", "x".repeat(800))] }
        ])
        const isLastOfProducer = (batch: RecordBatch) => batch.producerId === 42n && batch.lastOffset === 2
        yield* log.compact(orderOf(log, { isLastOfProducer }))
        const [kept] = batchesOf(log)
        expect(kept?.recordCount).toBe(0)
        expect(kept?.bytes.length).toBe(61)
        expect([kept?.baseOffset, kept?.lastOffset, kept?.baseSequence, kept?.lastSequence, kept?.producerEpoch]).toEqual([0, 2, 17, 19, 0])
        yield* log.compact(orderOf(log, { from: 0, isLastOfProducer }))
        expect(batchesOf(log)[0]?.bytes).toEqual(kept?.bytes as Uint8Array<ArrayBuffer>)
      })
    )
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        expect(batchesOf(log)[0]?.recordCount).toBe(0)
        yield* log.compact(orderOf(log, { from: 0 }))
        expect(batchesOf(log)[0]?.baseOffset).toBe(3)
        expect(log.start()).toBe(0)
      })
    )
  })
})

const many: ReadonlyArray<ToldBatch> = Array.from({ length: 60 }, (_, i) => ({ records: [told(`k${i % 5}`, `${i}`), told(`l${i % 3}`, "x".repeat(30))] }))

describe("what a round of compaction must not do", () => {
  test("a batch that cannot be opened is kept as it is, and the rest of its log is compacted", async () => {
    await withLog(freshDisk(), (log) =>
      Effect.gen(function* () {
        const bad = batchOf(0, { records: [told("k0"), told("k1")], codec: "gzip" })
        // A valid CRC over bytes that are not gzip: a producer can send this to a topic that is not compacted.
        bad.bytes.fill(7, fieldAt.records)
        new DataView(bad.bytes.buffer).setUint32(fieldAt.crc, crc32c(bad.bytes, fieldAt.attributes))
        const before = bad.bytes.slice()
        yield* log.append([bad])
        yield* appendAll(log, many)
        const done = yield* log.compact(orderOf(log))
        expect(done.unreadable).toBe(1)
        expect(done.recordsKept).toBeLessThan(done.recordsRead)
        expect(batchesIn(Either.getOrThrow(log.read(0, 0, log.end())))[0]?.bytes).toEqual(before)
      })
    )
  })

  test.each([
    ["a batch's records", 100],
    ["a leader epoch, which no CRC covers", 13]
  ])("a flipped bit in %s ends the round with what is wrong; nothing is changed, and nothing wrong is made right", async (_what, at) => {
    const disk = freshDisk()
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        yield* appendAll(log, many)
        const file = `${directory}/${String(log.segments()[1]?.baseOffset).padStart(20, "0")}.log`
        const bytes = disk.contents(file)
        bytes[at] = (bytes[at] as number) ^ 4
        disk.overwrite(file, bytes)
        const names = new Set(disk.session().list(directory))
        const sizes = log.segments().map(({ sizeInBytes }) => sizeInBytes)
        const failed = yield* Effect.orDie(Effect.flip(log.compact(orderOf(log))))
        expect(failed.reason).toBe("corrupt")
        expect(failed.message).toContain(file)
        expect(log.segments().map(({ sizeInBytes }) => sizeInBytes)).toEqual(sizes)
        expect(new Set(disk.session().list(directory))).toEqual(names)
        // The log still takes appends.
        yield* appendAll(log, many.slice(0, 2))
      })
    )
  })

  test("a full disk ends the round; the log still takes appends, and the next round compacts", async () => {
    const disk = freshDisk()
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        yield* appendAll(log, many)
        const before = contentOf(log)
        const to = sealedEnd(log)
        disk.capacityBytes = disk.usedBytes + 40
        const failed = yield* Effect.orDie(Effect.flip(log.compact(orderOf(log))))
        expect(failed.reason).toBe("full")
        expect(contentOf(log)).toEqual(before)
        disk.capacityBytes = Number.POSITIVE_INFINITY
        yield* log.compact(orderOf(log))
        expect(contentOf(log)).toEqual([...survivors(before, to)])
      })
    )
  })

  test("a round that is interrupted at any point, or whose log is closed, loses no records and leaves no files", async () => {
    for (let turns = 0; turns < 16; turns++) {
      const disk = freshDisk()
      disk.syncDelayMs = 0
      let all: ReadonlyArray<Kept> = []
      let to = 0
      await withLog(disk, (log) =>
        Effect.gen(function* () {
          yield* appendAll(log, many)
          all = contentOf(log)
          to = sealedEnd(log)
          const round = yield* Effect.fork(Effect.either(log.compact(orderOf(log, { ioBufferBytes: 100 }))))
          for (let i = 0; i < turns; i++) yield* Effect.sleep(0)
          if (turns % 2 === 0) yield* Fiber.interrupt(round)
        })
      )
      await withLog(disk, (log) =>
        Effect.gen(function* () {
          const found = contentOf(log)
          const kept = new Set(found.map(({ offset }) => offset))
          for (const { offset } of survivors(all, to)) expect(kept.has(offset)).toBe(true)
          expect(
            disk
              .session()
              .list(directory)
              .filter((name) => /cleaned|swap|tmp/.test(name))
          ).toEqual([])
          yield* log.compact(orderOf(log, { from: 0, to }))
          expect(contentOf(log)).toEqual([...survivors(all, to)])
        })
      )
    }
  }, 300_000)

  test("retention that deletes segments during the round takes precedence", async () => {
    const disk = freshDisk()
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        yield* appendAll(log, many)
        const round = yield* Effect.fork(Effect.either(log.compact(orderOf(log, { ioBytesPerSecondMax: 200_000, ioBufferBytes: 100 }))))
        yield* Effect.sleep(1)
        const start = log.segments()[4]?.baseOffset as number
        yield* log.deleteBefore(start)
        yield* Fiber.join(round)
        expect(log.start()).toBe(start)
        yield* log.compact(orderOf(log))
        expect(contentOf(log)[0]?.offset).toBeGreaterThanOrEqual(start)
      })
    )
  })
})

/** A compacted log on a disk, closed cleanly or stopped without a close. */
const compacted = async (
  close: boolean
): Promise<{ readonly disk: MemoryDisk; readonly content: ReadonlyArray<Kept>; readonly bases: ReadonlyArray<number> }> => {
  const disk = new MemoryDisk()
  const found = await withLog(disk, (log) =>
    Effect.gen(function* () {
      yield* appendAll(log, many)
      yield* log.compact(orderOf(log))
      yield* appendAll(log, many)
      yield* log.compact(orderOf(log, { to: log.segments()[log.segments().length - 3]?.baseOffset as number }))
      return { content: contentOf(log), bases: log.segments().map(({ baseOffset }) => baseOffset) }
    })
  )
  if (!close) disk.crash(() => 0)
  return { disk, ...found }
}
const nameOf = (base: number): string => `${directory}/${String(base).padStart(20, "0")}.log`

describe("the next start", () => {
  test("accepts the gaps that compaction left, also when it reads the whole log", async () => {
    for (const close of [true, false]) {
      const { content, disk } = await compacted(close)
      for (const file of ["recovery-point", undefined]) {
        const copy = disk.copy()
        if (file !== undefined) copy.overwrite(`${directory}/${file}`, new Uint8Array(0))
        expect(await withLog(copy, (log) => Effect.sync(() => contentOf(log)))).toEqual(content)
      }
    }
  })

  const opening = (disk: MemoryDisk): Promise<string> => withLog(disk, () => Effect.void).then(() => "", String)

  test("reports a missing segment, compacted or not", async () => {
    const { bases, disk } = await compacted(true)
    for (const base of bases.slice(1)) {
      const copy = disk.copy()
      copy.unlink(nameOf(base))
      expect(await opening(copy)).toContain("is damaged")
    }
  })

  test("reports a missing batch where nothing was compacted, and where the compaction note is missing", async () => {
    const { bases, disk } = await compacted(true)
    const untouched = bases.at(-2) as number
    const copy = disk.copy()
    const bytes = copy.contents(nameOf(untouched))
    const size = 12 + new DataView(bytes.buffer).getInt32(bytes.byteOffset + 8)
    copy.overwrite(nameOf(untouched), bytes.slice(size))
    expect(await opening(copy)).toContain("is damaged")
    const forgotten = disk.copy()
    forgotten.unlink(`${directory}/compaction`)
    expect(await opening(forgotten)).toContain("is damaged")
  })

  test("opens with a damaged compaction note, and the next round writes the note again", async () => {
    const { content, disk } = await compacted(true)
    const note = disk.contents(`${directory}/compaction`)
    note[10] = (note[10] as number) ^ 1
    disk.overwrite(`${directory}/compaction`, note)
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        expect(contentOf(log)).toEqual(content)
        expect(log.cleanEnd()).toBe(0)
        yield* log.compact(orderOf(log))
      })
    )
    expect(new TextDecoder().decode(disk.contents(`${directory}/compaction`))).toStartWith("franz-compaction 1 crc ")
    await withLog(disk, (log) => Effect.sync(() => expect(contentOf(log).length).toBeLessThan(content.length)))
  })

  test("L6: a verification finds nothing wrong; a damaged batch is found, and a repair leaves a log that opens", async () => {
    const { bases, content, disk } = await compacted(true)
    const session = disk.session()
    const sound = verifyLog(session, directory, crc32c)
    expect(sound.findings).toEqual([])
    expect([sound.records, sound.end]).toEqual([content.length, (content.at(-1)?.offset ?? 0) + 1])
    const target = bases.find((base) => base > 0 && disk.contents(nameOf(base)).length > 300) as number
    const bytes = disk.contents(nameOf(target))
    bytes[250] = (bytes[250] as number) ^ 1
    disk.overwrite(nameOf(target), bytes)
    const broken = verifyLog(session, directory, crc32c)
    expect(broken.findings.map(({ kind }) => kind)).toContain("batch")
    const plan = planRepair(session, broken)
    expect(plan.refusal).toBeUndefined()
    await Effect.runPromise(repairLog(session, directory, plan, "now", crc32c))
    expect(verifyLog(session, directory, crc32c).findings).toEqual([])
    await withLog(disk, (log) =>
      Effect.gen(function* () {
        const kept = contentOf(log)
        expect(kept).toEqual(content.slice(0, kept.length))
        expect(kept.length).toBeGreaterThan(0)
        yield* appendAll(log, many)
        yield* log.compact(orderOf(log))
      })
    )
    expect(verifyLog(session, directory, crc32c).findings).toEqual([])
  })

  test("opens after the topic's settings were changed", async () => {
    const { content, disk } = await compacted(false)
    const config = { ...smallSegments, indexIntervalBytes: 4096, segmentBytesMax: 10_000 }
    expect(await withLog(disk, (log) => Effect.sync(() => contentOf(log)), config)).toEqual(content)
  })
})
