import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { errorCode, type KafkaError } from "../../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { decodeRecords } from "../../../../domain/log/record.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { addTopic, heartbeat, register, topicId, up } from "../../../domain/cluster/support.ts"
import { batch, call, type Harness, harness, incarnation, newDisk, over, overInTime, receive, send, sequenced, until } from "../support.ts"

/** A broker that leads orders-0. */
const serving = Effect.gen(function* () {
  const broker = yield* harness(up(1))
  yield* broker.hosted.begin(new Set())
  broker.run(addTopic("orders", { partitionCount: 1 }))
  yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, 0) !== "string")
  return broker
})

const text = new TextDecoder()
const valuesOf = (records: Uint8Array | null | undefined): ReadonlyArray<string> =>
  Either.getOrThrow(readableBatches(records ?? new Uint8Array(0))).flatMap((one) =>
    Either.getOrThrow(decodeRecords(one, one.records)).map(({ value }) => text.decode(value ?? new Uint8Array(0)))
  )
const all = (broker: Harness) => Effect.map(receive(broker.routes, 0), (answer) => valuesOf(answer?.records))
const failure = (error: KafkaError) => ({ errorCode: errorCode(error), baseOffset: -1n })

describe("Produce", () => {
  test("appended records are read in order, with consecutive offsets", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        expect(yield* send(broker.routes, batch(["a", "b"]))).toMatchObject({ errorCode: 0, baseOffset: 0n, logAppendTimeMs: -1n, logStartOffset: 0n })
        expect(yield* send(broker.routes, batch(["c"]))).toMatchObject({ errorCode: 0, baseOffset: 2n })
        expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: 0, highWatermark: 3n, lastStableOffset: 3n, logStartOffset: 0n })
        expect(yield* all(broker)).toEqual(["a", "b", "c"])
      })
    ))

  test("L4: a repeated batch gets its first offset and is stored once; L5: a sequence gap is refused", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        const first = yield* send(broker.routes, sequenced(["a", "b"], 5n, 0))
        const again = yield* send(broker.routes, sequenced(["a", "b"], 5n, 0))
        expect([first?.baseOffset, again?.baseOffset, again?.errorCode]).toEqual([0n, 0n, 0])
        expect(yield* send(broker.routes, sequenced(["d"], 5n, 3))).toMatchObject(failure("OUT_OF_ORDER_SEQUENCE_NUMBER"))
        expect(yield* send(broker.routes, sequenced(["c"], 5n, 2))).toMatchObject({ errorCode: 0, baseOffset: 2n })
        expect(yield* send(broker.routes, sequenced(["x"], 5n, 0, 1))).toMatchObject({ errorCode: 0, baseOffset: 3n })
        expect(yield* send(broker.routes, sequenced(["d"], 5n, 3))).toMatchObject(failure("INVALID_PRODUCER_EPOCH"))
        expect(yield* all(broker)).toEqual(["a", "b", "c", "x"])
      })
    ))

  test("the second batch of a producer is refused where its first was, though the topic is there by then", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        const sent = (value: string, sequence: number) => send(broker.routes, sequenced([value], 5n, sequence), { topic: "new", acks: -1 })
        expect(yield* sent("a", 0)).toMatchObject(failure("UNKNOWN_TOPIC_OR_PARTITION"))
        broker.run(addTopic("new", { partitionCount: 1, topicId: topicId(2) }))
        yield* until(() => typeof broker.hosted.table.find({ name: "new" }, 0) !== "string")
        expect(yield* sent("b", 1)).toMatchObject(failure("UNKNOWN_TOPIC_OR_PARTITION"))
        expect(yield* sent("a", 0)).toMatchObject({ errorCode: 0, baseOffset: 0n })
        expect(yield* sent("b", 1)).toMatchObject({ errorCode: 0, baseOffset: 1n })
      })
    ))

  test("a batch behind a refused one is taken where that one was sent on another connection, as after a change of the leader", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        const sent = (value: string, sequence: number, connectionId = 1) =>
          send(broker.routes, sequenced([value], 5n, sequence), { topic: "new", acks: -1, connectionId })
        expect(yield* sent("a", 0)).toMatchObject(failure("UNKNOWN_TOPIC_OR_PARTITION"))
        broker.run(addTopic("new", { partitionCount: 1, topicId: topicId(2) }))
        yield* until(() => typeof broker.hosted.table.find({ name: "new" }, 0) !== "string")
        expect(yield* sent("a", 0, 2)).toMatchObject({ errorCode: 0, baseOffset: 0n })
        expect(yield* sent("c", 2)).toMatchObject(failure("UNKNOWN_TOPIC_OR_PARTITION"))
        expect(yield* sent("b", 1)).toMatchObject({ errorCode: 0, baseOffset: 1n })
        expect(yield* sent("c", 2)).toMatchObject({ errorCode: 0, baseOffset: 2n })
      })
    ))

  test("L4 after a restart: the broker recognizes a repeated batch", async () => {
    const disk = newDisk()
    await over(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving
        yield* send(broker.routes, sequenced(["a", "b"], 5n, 0), { acks: -1 })
        yield* send(broker.routes, sequenced(["c"], 5n, 2), { acks: -1 })
      })
    )
    await over(
      disk,
      Effect.gen(function* () {
        const broker = yield* harness(up(1))
        broker.run(addTopic("orders", { partitionCount: 1 }))
        yield* broker.hosted.begin(new Set())
        expect(yield* send(broker.routes, sequenced(["c"], 5n, 2))).toMatchObject({ errorCode: 0, baseOffset: 2n })
        expect(yield* send(broker.routes, sequenced(["e"], 5n, 4))).toMatchObject(failure("OUT_OF_ORDER_SEQUENCE_NUMBER"))
        expect(yield* send(broker.routes, sequenced(["d"], 5n, 3))).toMatchObject({ errorCode: 0, baseOffset: 3n })
        expect(yield* all(broker)).toEqual(["a", "b", "c", "d"])
      })
    )
  })

  test("L1: acks=all is answered after the sync and not before; acks=1 does not wait; one sync completes all waiting requests", () => {
    const disk = newDisk()
    return over(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving
        yield* send(broker.routes, batch(["first"]), { acks: -1 })
        disk.syncDelayMs = 20
        const before = disk.syncCount
        const waiting = yield* Effect.forkAll(
          ["a", "b", "c"].map((value) => send(broker.routes, batch([value]), { acks: -1 })),
          { discard: false }
        )
        expect(yield* send(broker.routes, batch(["quick"]))).toMatchObject({ errorCode: 0 })
        expect(yield* Effect.map(Fiber.poll(waiting), (exit) => exit._tag)).toBe("None")
        const answers = yield* Fiber.join(waiting)
        expect(answers.map((answer) => answer?.errorCode)).toEqual([0, 0, 0])
        expect(disk.syncCount - before).toBeLessThanOrEqual(2)
        const found = broker.hosted.table.find({ name: "orders" }, 0)
        expect(typeof found !== "string" && found.isSynced(3)).toBe(true)
      })
    )
  })

  test("acks=all: REQUEST_TIMED_OUT when the sync takes too long; NOT_ENOUGH_REPLICAS_AFTER_APPEND when the leadership changed meanwhile (L3)", () => {
    const disk = newDisk()
    return overInTime(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving
        yield* send(broker.routes, batch(["first"]), { acks: -1 })
        disk.syncDelayMs = 200
        // As in Kafka, a timeout of 0 is not an error if the request waits for no replica.
        expect(yield* send(broker.routes, batch(["at once"]), { acks: -1, timeoutMs: 0 })).toMatchObject({ errorCode: 0, baseOffset: 1n })
        disk.syncDelayMs = 5000
        expect(yield* send(broker.routes, batch(["slow"]), { acks: -1, timeoutMs: 1 })).toMatchObject(failure("REQUEST_TIMED_OUT"))
        disk.syncDelayMs = 200
        const waiting = yield* Effect.fork(send(broker.routes, batch(["a"]), { acks: -1 }))
        yield* Effect.yieldNow()
        broker.run(heartbeat(1, { wantShutDown: true }), heartbeat(1))
        expect(yield* Fiber.join(waiting)).toMatchObject(failure("NOT_ENOUGH_REPLICAS_AFTER_APPEND"))
      })
    )
  })

  test("a failed sync: waiting requests get NOT_ENOUGH_REPLICAS_AFTER_APPEND (L3), later ones KAFKA_STORAGE_ERROR, with one log line", () => {
    const disk = newDisk()
    return over(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving
        yield* send(broker.routes, batch(["first"]), { acks: -1 })
        disk.failSyncs(1)
        expect(yield* send(broker.routes, batch(["a"]), { acks: -1 })).toMatchObject(failure("NOT_ENOUGH_REPLICAS_AFTER_APPEND"))
        expect(yield* send(broker.routes, batch(["b"]))).toMatchObject(failure("KAFKA_STORAGE_ERROR"))
        expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: errorCode("KAFKA_STORAGE_ERROR") })
        expect(broker.reports.length).toBe(1)
      })
    )
  })

  test("a full disk: appends fail, reads work, and appends resume when there is free space", () => {
    const disk = newDisk()
    return over(
      disk,
      Effect.gen(function* () {
        const broker = yield* serving
        yield* send(broker.routes, batch(["a"]), { acks: -1 })
        disk.capacityBytes = 1
        expect(yield* send(broker.routes, batch(["b"]))).toMatchObject(failure("KAFKA_STORAGE_ERROR"))
        expect(yield* send(broker.routes, batch(["b"]))).toMatchObject(failure("KAFKA_STORAGE_ERROR"))
        expect(yield* all(broker)).toEqual(["a"])
        disk.capacityBytes = Number.POSITIVE_INFINITY
        // The truncation of the failed write must be synced first.
        const again = Effect.delay(send(broker.routes, batch(["b"])), 1)
        expect(yield* Effect.repeat(again, { until: (answer) => answer?.errorCode === 0, times: 5000 })).toMatchObject({ errorCode: 0, baseOffset: 1n })
        expect(yield* all(broker)).toEqual(["a", "b"])
        // The log and its directory; the directory is tried again later.
        expect(broker.reports.length).toBe(3)
      })
    )
  })

  test("refuses invalid acks, unknown topics and ids, truncated and invalid batches, several batches, and zstd in old versions", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        expect(yield* send(broker.routes, batch(["a"]), { acks: 2 })).toMatchObject(failure("INVALID_REQUIRED_ACKS"))
        expect(yield* send(broker.routes, batch(["a"]), { topic: "absent" })).toMatchObject(failure("UNKNOWN_TOPIC_OR_PARTITION"))
        expect(yield* send(broker.routes, batch(["a"]), { partition: 1 })).toMatchObject(failure("UNKNOWN_TOPIC_OR_PARTITION"))
        expect(yield* send(broker.routes, batch(["a"]).subarray(0, 66))).toMatchObject(failure("CORRUPT_MESSAGE"))
        const two = new Uint8Array([...batch(["a"]), ...batch(["b"])])
        expect(yield* send(broker.routes, two)).toMatchObject(failure("INVALID_RECORD"))
        expect(yield* send(broker.routes, new Uint8Array(0))).toMatchObject(failure("INVALID_RECORD"))
        const flipped = batch(["a"])
        flipped[65] = (flipped[65] as number) ^ 1
        expect(yield* send(broker.routes, flipped)).toMatchObject(failure("CORRUPT_MESSAGE"))
        expect(yield* send(broker.routes, batch(["a"], { codec: "zstd" }), { version: 6 })).toMatchObject(failure("UNSUPPORTED_COMPRESSION_TYPE"))
        expect(yield* send(broker.routes, batch(["a"], { codec: "zstd" }), { version: 7 })).toMatchObject({ errorCode: 0 })
        const byId = (id: string) =>
          call(broker.routes, Produce, 13, { acks: 1, timeoutMs: 1000, topicData: [{ topicId: id, partitionData: [{ index: 0, records: batch(["b"]) }] }] })
        expect((yield* byId(topicId(1)))?.responses[0]?.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 1n })
        expect((yield* byId(topicId(2)))?.responses[0]?.partitionResponses[0]).toMatchObject(failure("UNKNOWN_TOPIC_ID"))
      })
    ))

  test("a batch that takes long to inspect is processed in steps: the same responses, one append, and the same for its repetition", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        const values = Array.from({ length: 60_000 }, (_, i) => `${i}`)
        for (const codec of ["none", "gzip", "lz4"] as const) {
          const long = () => batch(values, { codec, producerId: 5n, producerEpoch: 0, baseSequence: 0 })
          const fresh = codec === "none"
          expect(yield* send(broker.routes, long(), { acks: fresh ? 1 : -1 })).toMatchObject({ errorCode: 0, baseOffset: 0n })
        }
        expect(yield* receive(broker.routes, 60_000)).toMatchObject({ errorCode: 0, highWatermark: 60_000n })
        const without = values.map((_, i) => ({ timestamp: 1_700_000_000_000 + (i === 59_000 ? 10 ** 13 : 0), key: null, value: new Uint8Array(1) }))
        for (const codec of ["none", "zstd"] as const) {
          const refused = yield* send(broker.routes, batch([], { codec, records: without }))
          expect(refused).toMatchObject({ ...failure("INVALID_TIMESTAMP"), recordErrors: [{ batchIndex: 59_000 }] })
          const flipped = batch(values, { codec })
          flipped[65] = (flipped[65] as number) ^ 1
          expect(yield* send(broker.routes, flipped)).toMatchObject(failure("CORRUPT_MESSAGE"))
        }
        expect(yield* receive(broker.routes, 60_000)).toMatchObject({ errorCode: 0, highWatermark: 60_000n })
      })
    ))

  test("acks=0: no response; an error closes the connection", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        expect(yield* send(broker.routes, batch(["a"]), { acks: 0 })).toBeUndefined()
        expect(yield* all(broker)).toEqual(["a"])
        expect(yield* Effect.flip(send(broker.routes, batch(["a"]), { acks: 0, topic: "absent" }))).toMatchObject({ kind: "disconnected" })
      })
    ))

  test("LogAppendTime: the response and the batch have the broker's time; a repeated batch has the first one", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* harness(up(1))
        yield* broker.hosted.begin(new Set())
        broker.run(addTopic("orders", { partitionCount: 1, configs: [{ name: "message.timestamp.type", value: "LogAppendTime" }] }))
        yield* until(() => typeof broker.hosted.table.find({ name: "orders" }, 0) !== "string")
        const first = yield* send(broker.routes, sequenced(["a"], 5n, 0))
        expect(first?.logAppendTimeMs).toBeGreaterThan(1_700_000_000_000n)
        yield* Effect.sleep("3 millis")
        expect((yield* send(broker.routes, sequenced(["a"], 5n, 0)))?.logAppendTimeMs).toBe(first?.logAppendTimeMs)
        const [stored] = Either.getOrThrow(readableBatches((yield* receive(broker.routes, 0))?.records ?? new Uint8Array(0)))
        expect(stored).toMatchObject({ timestampType: "LogAppendTime", maxTimestamp: Number(first?.logAppendTimeMs) })
      })
    ))
})

describe("leadership", () => {
  test("a fenced broker serves no partition; unfenced again, it writes batches with a new leader epoch", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        yield* send(broker.routes, batch(["a"]))
        broker.run(heartbeat(1, { wantShutDown: true }))
        expect(yield* send(broker.routes, batch(["b"]), { version: 10 })).toMatchObject({
          ...failure("NOT_LEADER_OR_FOLLOWER"),
          currentLeader: { leaderId: -1, leaderEpoch: 1 }
        })
        expect(yield* receive(broker.routes, 0)).toMatchObject({ errorCode: errorCode("NOT_LEADER_OR_FOLLOWER") })
        broker.run(heartbeat(1))
        expect(yield* send(broker.routes, batch(["b"]))).toMatchObject({ errorCode: 0, baseOffset: 1n })
        const batches = Either.getOrThrow(readableBatches((yield* receive(broker.routes, 0))?.records ?? new Uint8Array(0)))
        expect(batches.map(({ partitionLeaderEpoch }) => partitionLeaderEpoch)).toEqual([0, 2])
        expect(yield* receive(broker.routes, 0, { epoch: 0 })).toMatchObject({ errorCode: errorCode("FENCED_LEADER_EPOCH") })
        expect(yield* receive(broker.routes, 0, { epoch: 3 })).toMatchObject({ errorCode: errorCode("UNKNOWN_LEADER_EPOCH") })
      })
    ))

  test("the registration of another process with this node id does not make this process a leader", () =>
    over(
      newDisk(),
      Effect.gen(function* () {
        const broker = yield* serving
        broker.run(heartbeat(1, { wantShutDown: true }), register(1, "process-other"), heartbeat(1))
        expect(yield* send(broker.routes, batch(["a"]))).toMatchObject(failure("NOT_LEADER_OR_FOLLOWER"))
        broker.run(heartbeat(1, { wantShutDown: true }), register(1, incarnation), heartbeat(1))
        expect(yield* send(broker.routes, batch(["a"]))).toMatchObject({ errorCode: 0 })
      })
    ))
})
