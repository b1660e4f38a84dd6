import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { FaultyDisk } from "../../../../adapters/log/disk/faulty-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { OffsetForLeaderEpoch } from "../../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import { addTopic, heartbeat, topicId, up } from "../../../domain/cluster/support.ts"
import { batch, call, type Harness, harness, newDisk, over, overInTimeOn, receive, send, until } from "../support.ts"

const serving = (partitions = 1) =>
  Effect.gen(function* () {
    const broker = yield* harness(up(1))
    yield* broker.hosted.begin(new Set())
    broker.run(addTopic("orders", { partitionCount: partitions }))
    yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, partitions - 1) !== "string")
    return broker
  })
const offsets = (records: Uint8Array | null | undefined) => Either.getOrThrow(readableBatches(records ?? new Uint8Array(0))).map(({ baseOffset }) => baseOffset)

/** Fetches partitions 0 and 1 from offset 0. */
const both = (broker: Harness, maxBytes: number, more: { maxWaitMs?: number; minBytes?: number } = {}) =>
  call(broker.routes, Fetch, 12, {
    maxWaitMs: more.maxWaitMs ?? 0,
    minBytes: more.minBytes ?? 1,
    maxBytes,
    topics: [{ topic: "orders", partitions: [0, 1].map((partition) => ({ partition, fetchOffset: 0n, partitionMaxBytes: 1_000_000 })) }]
  })

describe("Fetch", () => {
  test("returns whole batches within the limits; the first whatever its size", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        for (const value of ["a", "b", "c"]) yield* send(broker.routes, batch([value.repeat(1000)]))
        const size = batch(["a".repeat(1000)]).length
        expect(offsets((yield* receive(broker.routes, 0))?.records)).toEqual([0, 1, 2])
        expect(offsets((yield* receive(broker.routes, 0, { partitionBytes: 2 * size + 10 }))?.records)).toEqual([0, 1])
        expect(offsets((yield* receive(broker.routes, 0, { maxBytes: 2 * size }))?.records)).toEqual([0, 1])
        expect(offsets((yield* receive(broker.routes, 1, { partitionBytes: 1 }))?.records)).toEqual([1])
        expect(offsets((yield* receive(broker.routes, 3))?.records)).toEqual([])
      })
    ))

  test("the second partition gets what the first has left of maxBytes", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(2)
        for (const partition of [0, 1]) yield* send(broker.routes, batch(["a".repeat(1000)]), { partition })
        const answer = yield* both(broker, 100)
        expect(answer?.responses[0]?.partitions.map(({ records }) => offsets(records))).toEqual([[0], []])
        const more = yield* both(broker, 10_000)
        expect(more?.responses[0]?.partitions.map(({ records }) => offsets(records))).toEqual([[0], [0]])
      })
    ))

  test("refuses offsets out of range, unknown topics, sessions and clusters", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        expect(yield* receive(broker.routes, 1)).toMatchObject({ errorCode: errorCode("OFFSET_OUT_OF_RANGE"), highWatermark: -1n })
        expect(yield* receive(broker.routes, -1)).toMatchObject({ errorCode: errorCode("OFFSET_OUT_OF_RANGE") })
        expect(yield* receive(broker.routes, 0, { topic: "absent" })).toMatchObject({ errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION") })
        const ask = { maxWaitMs: 0, minBytes: 0, topics: [] }
        expect(yield* call(broker.routes, Fetch, 12, { ...ask, sessionId: 9, sessionEpoch: 4 })).toMatchObject({
          errorCode: errorCode("FETCH_SESSION_ID_NOT_FOUND")
        })
        expect(yield* call(broker.routes, Fetch, 12, { ...ask, sessionId: 0, sessionEpoch: -1 })).toMatchObject({ errorCode: 0, sessionId: 0 })
        expect(yield* call(broker.routes, Fetch, 12, { ...ask, clusterId: "another" })).toMatchObject({ errorCode: errorCode("INCONSISTENT_CLUSTER_ID") })
        const unknown = { topicId: topicId(9), partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 10 }] }
        const byId = yield* call(broker.routes, Fetch, 13, { ...ask, topics: [unknown] })
        expect(byId?.responses[0]?.partitions[0]).toMatchObject({ errorCode: errorCode("UNKNOWN_TOPIC_ID") })
      })
    ))

  test("returns zstd batches in every version, as Kafka does: clients that send an old version can read them", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        yield* send(broker.routes, batch(["plain"]))
        yield* send(broker.routes, batch(["packed"], { codec: "zstd" }))
        for (let version = 4; version <= 12; version++) {
          expect([version, offsets((yield* receive(broker.routes, 0, { version }))?.records)]).toEqual([version, [0, 1]])
          expect([version, offsets((yield* receive(broker.routes, 1, { version }))?.records)]).toEqual([version, [1]])
        }
      })
    ))
})

describe("Fetch that waits", () => {
  test("an append to any of its partitions wakes it; available records need no wait", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(2)
        const waiting = yield* Effect.fork(both(broker, 1_000_000, { maxWaitMs: 60_000 }))
        yield* Effect.yieldNow()
        expect(waiting.unsafePoll()).toBeNull()
        yield* send(broker.routes, batch(["a"]), { partition: 1 })
        const answer = yield* Fiber.join(waiting)
        expect(answer?.responses[0]?.partitions.map(({ records }) => offsets(records))).toEqual([[], [0]])
        const at = yield* both(broker, 1_000_000, { maxWaitMs: 60_000 })
        expect(at?.responses[0]?.partitions.map(({ records }) => offsets(records))).toEqual([[], [0]])
      })
    ))

  test("waits for minBytes over all partitions, at most maxWaitMs", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving(2)
        const size = batch(["a"]).length
        const waiting = yield* Effect.fork(both(broker, 1_000_000, { maxWaitMs: 60_000, minBytes: 3 * size }))
        yield* Effect.yieldNow()
        for (const partition of [0, 1]) yield* send(broker.routes, batch(["a"]), { partition })
        yield* Effect.sleep("1 millis")
        expect(waiting.unsafePoll()).toBeNull()
        yield* send(broker.routes, batch(["b"]), { partition: 0 })
        const answer = yield* Fiber.join(waiting)
        expect(answer?.responses[0]?.partitions.map(({ records }) => offsets(records))).toEqual([[0, 1], [0]])
        const late = yield* receive(broker.routes, 2, { maxWaitMs: 5, minBytes: 10 })
        expect([late?.errorCode, late?.records?.length]).toEqual([0, 0])
      })
    ))

  test("ends with an error when the broker stops leading the partition, or the topic is removed", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        const fenced = yield* Effect.fork(receive(broker.routes, 0, { maxWaitMs: 60_000 }))
        yield* Effect.yieldNow()
        broker.run(heartbeat(1, { wantShutDown: true }))
        expect(yield* Fiber.join(fenced)).toMatchObject({ errorCode: errorCode("NOT_LEADER_OR_FOLLOWER") })
        broker.run(heartbeat(1))
        const removed = yield* Effect.fork(receive(broker.routes, 0, { maxWaitMs: 60_000 }))
        yield* Effect.yieldNow()
        broker.run(Command.RemoveTopic({ topic: { name: "orders" } }))
        expect(yield* Fiber.join(removed)).toMatchObject({ errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION") })
      })
    ))

  for (const [how, faults] of [
    [
      "a write that cannot be truncated",
      [
        { doing: "short", path: ".log", code: "ENOSPC", times: 1 },
        { doing: "write", path: ".log", code: "EROFS", after: 1 }
      ]
    ],
    [
      "a sync that no request waits for",
      [
        { doing: "short", path: ".log", code: "ENOSPC", times: 1 },
        { doing: "sync", path: ".log", code: "ENFILE" }
      ]
    ]
  ] as const)
    test(`a Fetch in a session gets an error when its log goes offline: ${how}`, () => {
      const faulty = new FaultyDisk(newDisk().session())
      faulty.disk.makeDirectory("/data")
      return overInTimeOn(
        makeStore(faulty.disk, "/data", defaultStoreBounds),
        Effect.gen(function* () {
          const broker = yield* serving()
          const ask = (sessionId: number, sessionEpoch: number, maxWaitMs: number) =>
            call(broker.routes, Fetch, 12, {
              maxWaitMs,
              minBytes: 1,
              maxBytes: 1_000_000,
              sessionId,
              sessionEpoch,
              topics: sessionEpoch > 0 ? [] : [{ topic: "orders", partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }] }]
            })
          const sessionId = (yield* ask(0, 0, 0))?.sessionId ?? 0
          expect(sessionId).not.toBe(0)
          const waiting = yield* Effect.fork(ask(sessionId, 1, 600_000))
          yield* Effect.sleep("1 millis")
          for (const fault of faults) faulty.plant(fault)
          yield* Effect.fork(send(broker.routes, batch(["a"]), { acks: 1 }))
          const answer = yield* Fiber.join(waiting)
          expect(answer?.responses[0]?.partitions[0]?.errorCode).toBe(errorCode("KAFKA_STORAGE_ERROR"))
        })
      )
    })

  test("an interrupted Fetch leaves no state behind", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        const waiting = yield* Effect.fork(receive(broker.routes, 0, { maxWaitMs: 60_000 }))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(waiting)
        const owner = broker.hosted.table.find({ name: "orders" }, 0)
        expect(typeof owner !== "string" && owner.waitingCount).toBe(0)
      })
    ))
})

describe("ListOffsets", () => {
  const ask = (broker: Harness, timestamp: bigint, version = 11) =>
    call(broker.routes, ListOffsets, version, { replicaId: -1, topics: [{ name: "orders", partitions: [{ partitionIndex: 0, timestamp }] }] }).pipe(
      Effect.map((answer) => answer?.topics[0]?.partitions[0])
    )
  const timed = (...timestamps: ReadonlyArray<number>) => batch([], { records: timestamps.map((timestamp) => ({ timestamp, key: null, value: null })) })

  test("start, end, a timestamp, the largest timestamp; and what the version does not support", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving()
        expect(yield* ask(broker, -1n)).toMatchObject({ errorCode: 0, offset: 0n, timestamp: -1n, leaderEpoch: 0 })
        expect(yield* ask(broker, -3n)).toMatchObject({ errorCode: 0, offset: -1n, timestamp: -1n })
        yield* send(broker.routes, timed(1000, 3000, 2000))
        yield* send(broker.routes, timed(9000, 4000))
        yield* send(broker.routes, timed(5000, 6000))
        expect(yield* ask(broker, -1n)).toMatchObject({ offset: 7n, timestamp: -1n })
        expect(yield* ask(broker, -2n)).toMatchObject({ offset: 0n, timestamp: -1n, leaderEpoch: 0 })
        expect(yield* ask(broker, -4n)).toMatchObject({ offset: 0n })
        expect(yield* ask(broker, -5n)).toMatchObject({ errorCode: 0, offset: -1n })
        expect(yield* ask(broker, -6n)).toMatchObject({ errorCode: 0, offset: -1n })
        expect(yield* ask(broker, -3n)).toMatchObject({ offset: 3n, timestamp: 9000n })
        expect(yield* ask(broker, 0n)).toMatchObject({ offset: 0n, timestamp: 1000n })
        expect(yield* ask(broker, 1001n)).toMatchObject({ offset: 1n, timestamp: 3000n })
        expect(yield* ask(broker, 3001n)).toMatchObject({ offset: 3n, timestamp: 9000n })
        expect(yield* ask(broker, 9001n)).toMatchObject({ errorCode: 0, offset: -1n, timestamp: -1n, leaderEpoch: -1 })
        for (const [timestamp, version] of [
          [-3n, 6],
          [-4n, 7],
          [-5n, 8],
          [-6n, 10],
          [-7n, 11]
        ] as const)
          expect(yield* ask(broker, timestamp, version)).toMatchObject({ errorCode: errorCode("UNSUPPORTED_VERSION"), offset: -1n })
        const one = { partitionIndex: 0, timestamp: -1n }
        const twice = yield* call(broker.routes, ListOffsets, 11, { replicaId: -1, topics: [{ name: "orders", partitions: [one, one] }] })
        expect(twice?.topics[0]?.partitions.map((each) => each.errorCode)).toEqual([42, 42])
      })
    ))
})

test("OffsetForLeaderEpoch returns the end offset of each epoch", () =>
  over(
    newDisk(),
    Effect.gen(function* () {
      const broker = yield* serving()
      yield* send(broker.routes, batch(["a", "b"]))
      broker.run(heartbeat(1, { wantShutDown: true }), heartbeat(1))
      yield* send(broker.routes, batch(["c"]))
      const ask = (leaderEpoch: number) =>
        call(broker.routes, OffsetForLeaderEpoch, 4, { topics: [{ topic: "orders", partitions: [{ partition: 0, leaderEpoch }] }] }).pipe(
          Effect.map((answer) => answer?.topics[0]?.partitions[0])
        )
      expect(yield* ask(0)).toMatchObject({ errorCode: 0, leaderEpoch: 0, endOffset: 2n })
      expect(yield* ask(1)).toMatchObject({ errorCode: 0, leaderEpoch: 0, endOffset: 2n })
      expect(yield* ask(2)).toMatchObject({ errorCode: 0, leaderEpoch: 2, endOffset: 3n })
      expect(yield* ask(3)).toMatchObject({ errorCode: 0, leaderEpoch: -1, endOffset: -1n })
    })
  ))
