import { describe, expect, test } from "bun:test"
import { Clock, Effect, Either } from "effect"
import { layerTypescript as compressionLayer } from "../../../../../adapters/compression/compression.ts"
import { Command } from "../../../../../domain/cluster/command.ts"
import type { Cluster } from "../../../../../domain/cluster/state.ts"
import { defaultNodeConfig } from "../../../../../domain/kernel/config.ts"
import { errorCode } from "../../../../../domain/kernel/error-code.ts"
import { type RecordBatch, readableBatches } from "../../../../../domain/log/batch.ts"
import type { Codec } from "../../../../../domain/log/codec.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import { type BatchToWrite, encodeBatch, readRecords } from "../../../../../domain/log/record.ts"
import { Compression } from "../../../../../src/ports/compression.ts"
import { ListOffsets } from "../../../../../src/protocol/message/02-list-offsets.ts"
import { DeleteRecords } from "../../../../../src/protocol/message/21-delete-records.ts"
import { addTopic, heartbeat, register, up } from "../../../../domain/cluster/support.ts"
import { call, type Harness, harness, incarnation, newDisk, overInTime, receive, send, until } from "../../support.ts"

const text = new TextEncoder()
const words = new TextDecoder()
const compression = Effect.runSync(Effect.provide(Compression, compressionLayer))
const minute = 60_000

const compactedTopic = (more: Readonly<Record<string, string>> = {}) =>
  addTopic("orders", {
    partitionCount: 1,
    configs: Object.entries({ "cleanup.policy": "compact", "segment.bytes": "700", ...more }).map(([name, value]) => ({ name, value }))
  })
const configure = (name: string, value: string) =>
  Command.ChangeTopicConfigs({ topic: "orders", replace: false, validateOnly: false, changes: [{ name, operation: "set", value }] })
const serving = (topic: Command | null, past: Cluster = up(1)) =>
  Effect.gen(function* () {
    const broker = yield* harness(past, { ...defaultNodeConfig, "log.cleaner.backoff.ms": 1000 })
    yield* broker.hosted.begin(new Set())
    broker.run(register(1, incarnation), heartbeat(1))
    if (topic !== null) broker.run(topic)
    yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, 0) !== "string")
    return broker
  })
const gone = (broker: Harness): Cluster => {
  broker.run(heartbeat(1, { wantShutDown: true }))
  return broker.cluster()
}

/** Returns one batch with these keys, all with the same value. */
const put = (broker: Harness, keys: ReadonlyArray<string | null>, value: string | null, more: Partial<BatchToWrite> & { readonly codec?: Codec } = {}) =>
  Effect.gen(function* () {
    const timestamp = yield* Clock.currentTimeMillis
    const records = keys.map((key) => ({ timestamp, key: key === null ? null : text.encode(key), value: value === null ? null : text.encode(value) }))
    const bytes = encodeBatch({ codec: "none", records, ...more }, { crc32c, compress: compression.compress })
    return yield* send(broker.routes, bytes, { acks: -1 })
  })
const putMany = (broker: Harness, from: number, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => from + i),
    (i) => put(broker, [`a${i % 3}`, `b${i % 2}`], `${i} ${"x".repeat(60)}`),
    { discard: true }
  )

const batchesFrom = (broker: Harness, from: number): Effect.Effect<ReadonlyArray<RecordBatch>> =>
  Effect.gen(function* () {
    const all: Array<RecordBatch> = []
    for (let at = from; ; ) {
      const answer = yield* Effect.orDie(receive(broker.routes, at))
      expect(answer?.errorCode).toBe(0)
      const some = Either.getOrThrow(readableBatches(answer?.records ?? new Uint8Array()))
      if (some.length === 0) return all
      all.push(...some)
      at = some.at(-1)?.nextOffset as number
    }
  })
const contentFrom = (broker: Harness, from: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(batchesFrom(broker, from), (batches) =>
    batches.flatMap((batch) =>
      Either.getOrThrow(readRecords(batch, compression.decompress, 1_000_000)).map(({ key, offset, value }) => {
        const told = value === null ? "-" : words.decode(value).split(" ")[0]
        return `${offset} ${key && words.decode(key)}=${told}`
      })
    )
  )
/** Returns the last of these lines for each key. */
const lastOf = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const last = new Map(lines.map((line) => [line.split(/[ =]/)[1], line]))
  return lines.filter((line) => last.get(line.split(/[ =]/)[1]) === line)
}
const listed = (broker: Harness, timestamp: number) =>
  Effect.map(
    call(broker.routes, ListOffsets, 7, { replicaId: -1, topics: [{ name: "orders", partitions: [{ partitionIndex: 0, timestamp: BigInt(timestamp) }] }] }),
    (answer) => Number(answer?.topics[0]?.partitions[0]?.offset)
  )
const owner = (broker: Harness) => {
  const found = broker.hosted.table.find({ name: "orders" }, 0)
  if (typeof found === "string") throw new Error(found)
  return found
}
const segmentsOf = (broker: Harness): ReadonlyArray<number> =>
  owner(broker)
    .compactable.log.segments()
    .map(({ baseOffset }) => baseOffset)

describe("a compacted topic", () => {
  test("is compacted when its dirty ratio is reached; fetches from any offset work; a restart does not compact it again", async () => {
    const disk = newDisk()
    const cluster = await overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic())
        yield* putMany(broker, 0, 40)
        const before = yield* contentFrom(broker, 0)
        yield* Effect.sleep(minute)
        const after = yield* contentFrom(broker, 0)
        const active = segmentsOf(broker).at(-1) as number
        const offsetOf = (line: string): number => Number(line.split(" ")[0])
        expect(after).toEqual([...lastOf(before.filter((line) => offsetOf(line) < active)), ...before.filter((line) => offsetOf(line) >= active)])
        // Fetch returns whole batches, and each of these has an even offset and the next one.
        for (let from = 0; from <= 80; from += 7) expect(yield* contentFrom(broker, from)).toEqual(after.filter((line) => offsetOf(line) >= from - (from % 2)))
        expect([yield* listed(broker, -2), yield* listed(broker, -1), yield* listed(broker, 0)]).toEqual([0, 80, offsetOf(after[0] as string)])
        expect(owner(broker).compactable.log.cleanEnd()).toBe(active)
        return gone(broker)
      })
    )
    await overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(null, cluster)
        const cleanEnd = owner(broker).compactable.log.cleanEnd()
        expect(cleanEnd).toBeGreaterThan(0)
        const segments = segmentsOf(broker)
        yield* Effect.sleep(minute)
        expect(segmentsOf(broker)).toEqual(segments)
        yield* putMany(broker, 40, 40)
        yield* Effect.sleep(minute)
        expect(owner(broker).compactable.log.cleanEnd()).toBeGreaterThan(cleanEnd)
        expect((yield* contentFrom(broker, 0)).length).toBeLessThan(20)
      })
    )
  })

  test("refuses a record without a key, with any codec, and stores no record of its batch", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic())
        for (const codec of ["none", "gzip", "zstd"] as const) {
          const answer = yield* put(broker, ["a", null, "b"], "1", { codec })
          expect(answer).toMatchObject({ errorCode: errorCode("INVALID_RECORD"), baseOffset: -1n })
          expect(answer?.errorMessage).toContain("without a key")
          expect(yield* put(broker, ["a"], "1", { codec })).toMatchObject({ errorCode: 0 })
        }
        expect(yield* listed(broker, -1)).toBe(3)
        broker.run(configure("cleanup.policy", "delete"))
        expect(yield* put(broker, [null], "1")).toMatchObject({ errorCode: 0 })
        broker.run(configure("cleanup.policy", "compact"))
        yield* putMany(broker, 0, 40)
        yield* Effect.sleep(minute)
        expect((yield* contentFrom(broker, 0)).some((line) => line.includes("null"))).toBe(false)
      })
    ))

  test("min.compaction.lag.ms delays compaction, max.compaction.lag.ms ignores the dirty ratio; both can change at run time", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic({ "min.compaction.lag.ms": `${30 * minute}` }))
        yield* putMany(broker, 0, 40)
        yield* Effect.sleep(29 * minute)
        expect((yield* contentFrom(broker, 0)).length).toBe(80)
        yield* Effect.sleep(2 * minute)
        const compacted = (yield* contentFrom(broker, 0)).length
        expect(compacted).toBeLessThan(30)
        broker.run(configure("min.compaction.lag.ms", "0"), configure("min.cleanable.dirty.ratio", "1"))
        yield* putMany(broker, 40, 20)
        yield* Effect.sleep(minute)
        expect((yield* contentFrom(broker, 0)).length).toBe(compacted + 40)
        broker.run(configure("max.compaction.lag.ms", `${5 * minute}`))
        yield* Effect.sleep(6 * minute)
        expect((yield* contentFrom(broker, 0)).length).toBeLessThan(compacted + 20)
      })
    ))

  test("tombstones are removed after delete.retention.ms and not before", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic({ "delete.retention.ms": `${10 * minute}`, "min.cleanable.dirty.ratio": "0" }))
        yield* put(broker, ["gone"], "1")
        yield* put(broker, ["gone"], null)
        yield* putMany(broker, 0, 12)
        yield* Effect.sleep(minute)
        expect((yield* contentFrom(broker, 0))[0]).toBe("1 gone=-")
        yield* putMany(broker, 12, 12)
        yield* Effect.sleep(8 * minute)
        expect((yield* contentFrom(broker, 0))[0]).toBe("1 gone=-")
        yield* Effect.sleep(2 * minute)
        yield* putMany(broker, 24, 12)
        yield* Effect.sleep(minute)
        expect((yield* contentFrom(broker, 0)).some((line) => line.includes("gone"))).toBe(false)
      })
    ))

  test("keeps the sequence of an idempotent producer, through compaction and a restart (L4)", async () => {
    const disk = newDisk()
    const cluster = await overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic())
        expect(yield* put(broker, ["a0", "b0"], "first", { producerId: 5n, producerEpoch: 0, baseSequence: 0 })).toMatchObject({ errorCode: 0, baseOffset: 0n })
        yield* putMany(broker, 0, 40)
        yield* Effect.sleep(minute)
        expect((yield* batchesFrom(broker, 0))[0]?.recordCount).toBe(0)
        return gone(broker)
      })
    )
    await overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(null, cluster)
        const again = (baseSequence: number) => put(broker, ["a0", "b0"], "again", { producerId: 5n, producerEpoch: 0, baseSequence })
        expect(yield* again(0)).toMatchObject({ errorCode: 0, baseOffset: 0n })
        expect(yield* again(5)).toMatchObject({ errorCode: errorCode("OUT_OF_ORDER_SEQUENCE_NUMBER") })
        expect(yield* again(2)).toMatchObject({ errorCode: 0, baseOffset: 82n })
      })
    )
  })

  test("retention and DeleteRecords do not apply, unless cleanup.policy has delete too", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic({ "retention.ms": `${10 * minute}`, "segment.ms": `${5 * minute}` }))
        yield* putMany(broker, 0, 40)
        yield* Effect.sleep(60 * minute)
        const left = yield* contentFrom(broker, 0)
        expect(left.length).toBeGreaterThan(0)
        const deleteBefore = (offset: bigint) =>
          Effect.map(
            call(broker.routes, DeleteRecords, 2, { timeoutMs: 5000, topics: [{ name: "orders", partitions: [{ partitionIndex: 0, offset }] }] }),
            (answer) => answer?.topics[0]?.partitions[0]
          )
        expect(yield* deleteBefore(3n)).toMatchObject({ errorCode: errorCode("POLICY_VIOLATION") })
        broker.run(configure("cleanup.policy", "compact,delete"), configure("retention.ms", "-1"))
        // An offset in a gap: the log starts there, and the next record is the first.
        expect(yield* deleteBefore(3n)).toMatchObject({ errorCode: 0, lowWatermark: 3n })
        expect(yield* listed(broker, -2)).toBe(3)
        expect(yield* contentFrom(broker, 3)).toEqual(left)
        expect(yield* receive(broker.routes, 2)).toMatchObject({ errorCode: errorCode("OFFSET_OUT_OF_RANGE") })
        broker.run(configure("retention.ms", `${10 * minute}`))
        yield* Effect.sleep(30 * minute)
        expect(yield* listed(broker, -2)).toBe(80)
      })
    ))

  test("a damaged segment stops the compaction with one log line, and keeps its records", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(compactedTopic())
        yield* putMany(broker, 0, 40)
        const name = `/data/${owner(broker).topicId}-0/${"0".repeat(20)}.log`
        const bytes = disk.contents(name)
        bytes[90] = (bytes[90] as number) ^ 1
        disk.overwrite(name, bytes)
        // Before the scrub, which takes the partition offline because of the damage.
        yield* Effect.sleep(20_000)
        expect(broker.reports.filter((line) => line.includes("not compacted any more"))).toHaveLength(1)
        expect(broker.reports.join()).toContain(name)
        expect((yield* batchesFrom(broker, 0)).length).toBe(40)
        expect(yield* put(broker, ["a"], "1")).toMatchObject({ errorCode: 0 })
      })
    )
  })

  test("deleted, or interrupted by a shutdown, during a compaction: no temporary file is left", async () => {
    for (let wait = 0; wait < 8; wait++) {
      const disk = newDisk()
      disk.syncDelayMs = 3
      await overInTime(
        disk,
        Effect.gen(function* () {
          const broker = yield* serving(compactedTopic())
          yield* putMany(broker, 0, 40)
          yield* Effect.sleep(990 + wait * 8)
          broker.run(Command.RemoveTopic({ topic: { name: "orders" } }))
          yield* Effect.sleep(minute)
          expect(
            disk
              .session()
              .list("/data")
              .filter((name) => name.includes("-0"))
          ).toEqual([])
          expect(broker.reports).toEqual([])
        })
      )
    }
  }, 300_000)
})
