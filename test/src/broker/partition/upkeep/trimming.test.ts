import { describe, expect, test } from "bun:test"
import { Clock, Effect, Either, Fiber } from "effect"
import fc from "fast-check"
import type { MemoryDisk } from "../../../../../adapters/log/memory/memory-disk.ts"
import { Command } from "../../../../../domain/cluster/command.ts"
import type { Cluster } from "../../../../../domain/cluster/state.ts"
import { errorCode } from "../../../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../../../domain/log/batch.ts"
import { ListOffsets } from "../../../../../src/protocol/message/02-list-offsets.ts"
import { DeleteRecords } from "../../../../../src/protocol/message/21-delete-records.ts"
import { addTopic, heartbeat, register, topicId, up } from "../../../../domain/cluster/support.ts"
import { batch, call, type Harness, harness, incarnation, newDisk, overInTime, receive, send, until } from "../../support.ts"

const text = new TextEncoder()
const orders = (configs: Readonly<Record<string, string>> = {}) =>
  addTopic("orders", { partitionCount: 1, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) })
const configure = (name: string, value: string) =>
  Command.ChangeTopicConfigs({ topic: "orders", replace: false, validateOnly: false, changes: [{ name, operation: "set", value }] })
/** A broker that leads orders-0. */
const serving = (past: Cluster = up(1), topic: Command | null = orders()) =>
  Effect.gen(function* () {
    const broker = yield* harness(past)
    yield* broker.hosted.begin(new Set())
    broker.run(register(1, incarnation), heartbeat(1))
    if (topic !== null) broker.run(topic)
    yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, 0) !== "string")
    return broker
  })
/** The leader fences a process that has stopped. */
const gone = (broker: Harness): Cluster => {
  broker.run(heartbeat(1, { wantShutDown: true }))
  return broker.cluster()
}
/** Sends one batch of `count` records with this timestamp; default: the current time. */
const put = (broker: Harness, count: number, at?: number) =>
  Effect.gen(function* () {
    const timestamp = at ?? (yield* Clock.currentTimeMillis)
    const records = Array.from({ length: count }, (_, i) => ({ timestamp: timestamp + i, key: null, value: text.encode("x".repeat(50)) }))
    expect(yield* send(broker.routes, batch([], { records }), { acks: -1 })).toMatchObject({ errorCode: 0 })
  })
const offsetAt = (broker: Harness, timestamp: number) =>
  Effect.map(
    call(broker.routes, ListOffsets, 7, { replicaId: -1, topics: [{ name: "orders", partitions: [{ partitionIndex: 0, timestamp: BigInt(timestamp) }] }] }),
    (answer) => answer?.topics[0]?.partitions[0]
  )
const start = (broker: Harness) => Effect.map(offsetAt(broker, -2), (found) => Number(found?.offset))
const deleteBefore = (broker: Harness, offset: number, partitionIndex = 0) =>
  Effect.map(
    call(broker.routes, DeleteRecords, 2, { timeoutMs: 5000, topics: [{ name: "orders", partitions: [{ partitionIndex, offset: BigInt(offset) }] }] }),
    (answer) => answer?.topics[0]?.partitions[0]
  )
const outOfRange = { errorCode: errorCode("OFFSET_OUT_OF_RANGE") }
const logFiles = (disk: MemoryDisk): ReadonlyArray<string> =>
  disk
    .session()
    .list(`${directory}/${topicId(1)}-0`)
    .filter((name) => name.includes(".log"))
    .sort()
const directory = "/data"
const minutes = (count: number) => Effect.sleep(count * 60_000)

describe("retention", () => {
  test("a timestamp in the future that keeps a segment is logged once, with the partition, the segment, the timestamp and the remedy", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(up(1), orders({ "retention.ms": "60000", "message.timestamp.after.max.ms": "9223372036854775807" }))
        const ahead = (yield* Clock.currentTimeMillis) + 10 * 86_400_000
        yield* put(broker, 2, ahead)
        yield* minutes(30)
        expect(broker.reports).toHaveLength(1)
        const [said = ""] = broker.reports
        for (const word of [
          "orders-0",
          "00000000000000000000.log",
          `${ahead + 1}`,
          new Date(ahead + 1).toISOString(),
          "message.timestamp.after.max.ms",
          "DeleteRecords"
        ])
          expect(said).toContain(word)
        expect(yield* start(broker)).toBe(0)
      })
    ))

  test("the deletion of the topic during DeleteRecords is not a fault, and logs nothing", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(up(1), orders({ "segment.bytes": "1048576" }))
        yield* put(broker, 5)
        disk.syncDelayMs = 100
        const asked = yield* Effect.fork(deleteBefore(broker, 5))
        yield* Effect.sleep("10 millis")
        broker.run(Command.RemoveTopic({ topic: { name: "orders" } }))
        yield* Fiber.join(asked)
        yield* Effect.sleep("10 seconds")
        expect(broker.reports).toEqual([])
      })
    )
  })

  test("by time: deletes old segments, the active one too; the start offset persists, and consumers before it get OFFSET_OUT_OF_RANGE", async () => {
    const disk = newDisk()
    const cluster = await overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(up(1), orders({ "retention.ms": "3600000", "segment.bytes": "300" }))
        for (let i = 0; i < 5; i++) yield* put(broker, 2)
        yield* minutes(50)
        expect(yield* start(broker)).toBe(0)
        yield* put(broker, 2)
        yield* minutes(16)
        expect(yield* start(broker)).toBe(10)
        expect(yield* receive(broker.routes, 9)).toMatchObject(outOfRange)
        expect(yield* receive(broker.routes, 10)).toMatchObject({ errorCode: 0, logStartOffset: 10n })
        yield* minutes(60)
        expect(yield* start(broker)).toBe(12)
        expect(logFiles(disk)).toEqual(["00000000000000000012.log"])
        yield* put(broker, 1)
        return gone(broker)
      })
    )
    await overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(cluster, null)
        expect(yield* start(broker)).toBe(12)
        expect(yield* receive(broker.routes, 12)).toMatchObject({ errorCode: 0, highWatermark: 13n })
      })
    )
  })

  test("by size, set at run time; files stay for file.delete.delay.ms", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving(up(1), orders({ "segment.bytes": "300", "file.delete.delay.ms": "120000" }))
        for (let i = 0; i < 6; i++) yield* put(broker, 2)
        yield* minutes(60)
        expect([yield* start(broker), logFiles(disk).length]).toEqual([0, 6])
        broker.run(configure("retention.bytes", "400"))
        yield* minutes(1)
        expect(yield* start(broker)).toBe(6)
        expect(logFiles(disk).map((name) => name.slice(18))).toEqual(["00.log.deleted", "02.log.deleted", "04.log.deleted", "06.log", "08.log", "10.log"])
        yield* minutes(2)
        expect(logFiles(disk).map((name) => name.slice(18))).toEqual(["06.log", "08.log", "10.log"])
        broker.run(configure("retention.bytes", "-1"))
        for (let i = 0; i < 6; i++) yield* put(broker, 2)
        yield* minutes(20)
        expect(yield* start(broker)).toBe(6)
      })
    )
  })

  test("segment.bytes and max.message.bytes apply from the next batch on", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving()
        for (let i = 0; i < 3; i++) yield* put(broker, 2)
        expect(logFiles(disk)).toHaveLength(1)
        broker.run(configure("segment.bytes", "250"))
        for (let i = 0; i < 3; i++) yield* put(broker, 2)
        expect(logFiles(disk)).toHaveLength(4)
        broker.run(configure("max.message.bytes", "100"))
        expect(yield* send(broker.routes, batch(["x".repeat(50)]))).toMatchObject({ errorCode: errorCode("MESSAGE_TOO_LARGE") })
      })
    )
  })
})

describe("DeleteRecords", () => {
  test("an offset within a batch, the high watermark, and offsets out of range", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        yield* put(broker, 10, 1000)
        yield* put(broker, 10, 2000)
        expect(yield* deleteBefore(broker, 3)).toMatchObject({ errorCode: 0, lowWatermark: 3n })
        expect(yield* start(broker)).toBe(3)
        expect(yield* receive(broker.routes, 2)).toMatchObject(outOfRange)
        expect(yield* receive(broker.routes, 3)).toMatchObject({ errorCode: 0, logStartOffset: 3n })
        // An offset before the start changes nothing.
        expect(yield* deleteBefore(broker, 1)).toMatchObject({ errorCode: 0, lowWatermark: 3n })
        for (const offset of [21, -2]) expect(yield* deleteBefore(broker, offset)).toMatchObject({ ...outOfRange, lowWatermark: -1n })
        expect(yield* deleteBefore(broker, 1, 7)).toMatchObject({ errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION"), lowWatermark: -1n })
        expect(yield* deleteBefore(broker, -1)).toMatchObject({ errorCode: 0, lowWatermark: 20n })
        expect(yield* receive(broker.routes, 20)).toMatchObject({ errorCode: 0, highWatermark: 20n })
        yield* put(broker, 1)
        expect(yield* receive(broker.routes, 20)).toMatchObject({ errorCode: 0, highWatermark: 21n })
      })
    ))

  test("ListOffsets by timestamp ignores the deleted records of a batch", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        yield* put(broker, 10, 1000)
        yield* put(broker, 10, 500)
        yield* deleteBefore(broker, 3)
        expect(yield* offsetAt(broker, 0)).toMatchObject({ offset: 3n, timestamp: 1003n })
        expect(yield* offsetAt(broker, 1005)).toMatchObject({ offset: 5n, timestamp: 1005n })
        expect(yield* offsetAt(broker, -3)).toMatchObject({ offset: 9n, timestamp: 1009n })
        yield* deleteBefore(broker, 10)
        expect(yield* offsetAt(broker, 505)).toMatchObject({ offset: 15n, timestamp: 505n })
        expect(yield* offsetAt(broker, 1000)).toMatchObject({ offset: -1n })
        expect(yield* offsetAt(broker, -3)).toMatchObject({ offset: 19n, timestamp: 509n })
      })
    ))

  test("a batch whose newest record is deleted does not hide a later one", () =>
    overInTime(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        const records = [5000, 1000, 1001].map((timestamp) => ({ timestamp, key: null, value: text.encode("x") }))
        yield* send(broker.routes, batch([], { records }))
        yield* put(broker, 2, 2000)
        yield* deleteBefore(broker, 1)
        expect(yield* offsetAt(broker, 1500)).toMatchObject({ offset: 3n, timestamp: 2000n })
        expect(yield* offsetAt(broker, -3)).toMatchObject({ offset: 4n, timestamp: 2001n })
      })
    ))

  test("a disk that refuses writes: KAFKA_STORAGE_ERROR, and the start offset stays", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving()
        yield* put(broker, 10)
        disk.isReadOnly = true
        expect(yield* deleteBefore(broker, 5)).toMatchObject({ errorCode: errorCode("KAFKA_STORAGE_ERROR"), lowWatermark: -1n })
        expect(yield* start(broker)).toBe(0)
        disk.isReadOnly = false
        expect(yield* deleteBefore(broker, 5)).toMatchObject({ errorCode: 0, lowWatermark: 5n })
      })
    )
  })
})

test("after any power cuts an acknowledged start offset never decreases, and no acknowledged record after it is lost", async () => {
  const lives = fc.array(
    fc.record({
      steps: fc.array(fc.oneof(fc.constant("put" as const), fc.nat(40)), { maxLength: 8 }),
      changes: fc.nat(30),
      cuts: fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 4 })
    }),
    { minLength: 1, maxLength: 4 }
  )
  await fc.assert(
    fc.asyncProperty(lives, async (all) => {
      const disk = newDisk()
      let cluster = up(1)
      let low = 0
      let acknowledged = 0
      for (const { changes, cuts, steps } of [...all, { steps: [], changes: 0, cuts: [0] }]) {
        cluster = await overInTime(
          disk,
          Effect.gen(function* () {
            const broker = yield* serving(cluster, cluster.partitionCount === 0 ? orders({ "segment.bytes": "300" }) : null)
            const first = yield* start(broker)
            expect(first).toBeGreaterThanOrEqual(low)
            const found = yield* receive(broker.routes, first)
            expect(Number(found?.highWatermark)).toBeGreaterThanOrEqual(acknowledged)
            const batches = Either.getOrThrow(readableBatches(found?.records as Uint8Array))
            for (let i = 1; i < batches.length; i++) expect(batches[i]?.baseOffset).toBe(batches[i - 1]?.nextOffset as number)
            if (first < Number(found?.highWatermark)) expect(batches[0]?.baseOffset).toBeLessThanOrEqual(first)
            let used = 0
            const pick = (bound: number) => (cuts[used++ % cuts.length] as number) % bound
            disk.crashAfter(changes + 1, pick)
            for (const step of steps) {
              if (step === "put") {
                const records = Array.from({ length: 3 }, () => ({ timestamp: 1000, key: null, value: text.encode("x".repeat(30)) }))
                const answer = yield* send(broker.routes, batch([], { records }), { acks: -1 })
                if (answer?.errorCode === 0) acknowledged = Number(answer.baseOffset) + 3
              } else {
                const answer = yield* deleteBefore(broker, step)
                if (answer?.errorCode === 0) low = Number(answer.lowWatermark)
              }
            }
            disk.crash(pick)
            return gone(broker)
          })
        )
      }
    }),
    { numRuns: 100 }
  )
}, 300_000)
