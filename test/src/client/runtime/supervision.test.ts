import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber, Layer, Logger, LogLevel } from "effect"
import { layerTypescript as plainChecksum } from "../../../../adapters/checksum/checksum.ts"
import { layerTypescript as plainCompression } from "../../../../adapters/compression/compression.ts"
import { ClusterClient, makeClient } from "../../../../src/client/cluster/client.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { ConsumerEvents } from "../../../../src/client/consumer/events.ts"
import { AssignedPartitions } from "../../../../src/client/consumer/fetch/assigned-partitions.ts"
import { Fetcher } from "../../../../src/client/consumer/fetch/fetcher.ts"
import { PartitionReader } from "../../../../src/client/consumer/fetch/partition-reader.ts"
import { FetchConfig } from "../../../../src/client/consumer/fetch/settings.ts"
import { joinGroup } from "../../../../src/client/consumer/group-session.ts"
import { consumerSettings } from "../../../../src/client/consumer/options.ts"
import { PartitionWork } from "../../../../src/client/consumer/partition-work.ts"
import { Subscription } from "../../../../src/client/consumer/subscription.ts"
import { makeCoordinator } from "../../../../src/client/group/coordinator.ts"
import { membershipSettings } from "../../../../src/client/group/options.ts"
import { BufferMemory } from "../../../../src/client/producer/accumulator/buffer-memory.ts"
import type { DeliveryListener, SendError, Sent } from "../../../../src/client/producer/accumulator/delivery.ts"
import { Partitioner } from "../../../../src/client/producer/accumulator/partitioner.ts"
import { sizeOf } from "../../../../src/client/producer/accumulator/record-size.ts"
import { ProducerConfig } from "../../../../src/client/producer/accumulator/settings.ts"
import { producerSettings } from "../../../../src/client/producer/options.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { Sender } from "../../../../src/client/producer/sender/sender.ts"
import { BackgroundFibers } from "../../../../src/client/runtime/background-fibers.ts"
import { Signal } from "../../../../src/client/runtime/signal.ts"
import { defectOf, supervised } from "../../../../src/client/runtime/supervision.ts"
import { Checksum } from "../../../../src/ports/checksum.ts"
import { Compression } from "../../../../src/ports/compression.ts"
import { leader as realLeader, withCluster } from "../real-cluster.ts"
import { leader, withFake } from "../support.ts"

/** Throws in the calls of these numbers, from 1. */
const spoiled = <A extends ReadonlyArray<unknown>, B>(call: (...args: A) => B, ...nths: ReadonlyArray<number>) => {
  let nth = 0
  return (...args: A): B => {
    nth += 1
    if (nths.includes(nth)) throw new TypeError(`planted in call ${nth}`)
    return call(...args)
  }
}
const quietly = Logger.withMinimumLogLevel(LogLevel.None)
const oneReader = { topic: "orders", partition: 0 }

const listenerOf = (resume: (report: Effect.Effect<Sent, SendError>) => void): DeliveryListener => ({
  stored: (_, sent) => resume(Effect.succeed(sent)),
  failed: (_, error) => resume(Effect.fail(error))
})

describe("a part that fails by a defect", () => {
  test("is begun again after a pause that grows, tells those who wait, and ends by interruption or by itself", () =>
    withFake((_, clock) =>
      Effect.gen(function* () {
        const times: Array<number> = []
        const told: Array<string> = []
        const body = Effect.sync(() => {
          times.push(clock.unsafeCurrentTimeMillis())
          if (times.length < 6) throw new Error(`defect ${times.length}`)
        })
        yield* quietly(
          supervised("part", body, ({ message }) => {
            told.push(message)
            throw new Error("the one who is told fails too")
          })
        )
        expect(told.length).toBe(5)
        const pauses = times.slice(1).map((at, index) => at - (times[index] as number))
        expect(pauses).toEqual([50, 100, 200, 400, 800])
        const fiber = yield* Effect.fork(supervised("part", Effect.never, () => {}))
        yield* Effect.sleep(10)
        yield* Fiber.interrupt(fiber)
        expect(defectOf("part", new TypeError("x")).message).toContain("TypeError: x")
      })
    ))

  test("the encoder: the message fails, those beside and behind it are stored", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 2)
        const { crc32c } = yield* Effect.provide(Checksum, plainChecksum)
        const flaky = Layer.succeed(Checksum, { ...(yield* Effect.provide(Checksum, plainChecksum)), crc32c: spoiled(crc32c, 2) })
        const producer = yield* Producer.make({ leader }).pipe(Effect.provide(flaky))
        yield* producer.sendMessage("orders", "first", { partition: 1 })
        const both = yield* Effect.forEach([0, 1], (partition) => Effect.either(producer.sendMessage("orders", `to ${partition}`, { partition })), {
          concurrency: 2
        })
        expect(both.map((one) => (Either.isLeft(one) ? one.left._tag : "stored"))).toEqual(["ClientDefect", "stored"])
        for (const partition of [0, 1]) yield* producer.sendMessage("orders", "behind", { partition })
        yield* producer.flush
        expect([fake.texts("orders", 0), fake.texts("orders", 1)]).toEqual([["behind"], ["first", "to 1", "behind"]])
      }).pipe(quietly)
    ))

  test("the sender: everything that waits has its error, and what comes later is stored once and in order", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 2)
        const client = yield* makeClient({ leader })
        let given = 0
        const memory = new (class extends BufferMemory {
          override release(bytes: number): void {
            given += bytes
          }
        })(1_000_000)
        const partitioner = new (class extends Partitioner {
          override readonly onBatchClosed = spoiled(() => {}, 2)
        })(client.random)
        const sender = yield* Sender.make(memory, partitioner, Effect.void).pipe(
          Effect.provideService(ClusterClient, client),
          Effect.provideService(ProducerConfig, producerSettings({ leader })),
          Effect.provide(yield* Layer.build(BackgroundFibers.layer))
        )
        yield* Effect.forkScoped(sender.run)
        yield* client.metadata.topic("orders")
        let taken = 0
        const send = (value: string, partition: number) =>
          Effect.either(
            Effect.async<Sent, SendError>((resume) => {
              const record = { timestamp: 0, key: null, value: new TextEncoder().encode(value) }
              taken += sizeOf(record)
              sender.submit("orders", partition, { ...record, sizeBytes: sizeOf(record), index: 0, isBorrowed: false, listener: listenerOf(resume) })
            })
          )
        const outcomes = yield* Effect.forEach([0, 1, 0, 1], (partition, at) => send(`${at}`, partition), { concurrency: 4 })
        // The first had left before the defect; no caller waits for ever.
        const tags = outcomes.map((outcome) => (Either.isLeft(outcome) ? outcome.left._tag : "stored"))
        expect(tags.filter((tag) => tag === "ClientDefect" || tag === "OutcomeUnknown").length).toBeGreaterThanOrEqual(2)
        const later: Array<string> = []
        for (const value of ["a", "b", "c"]) later.push((yield* send(value, 0))._tag)
        expect(later).toEqual(["Right", "Right", "Right"])
        yield* sender.flush
        expect(fake.texts("orders", 0).slice(-3)).toEqual(["a", "b", "c"])
        expect(given).toBe(taken)
      }).pipe(quietly)
    ))

  test("the sender: deliveryTimeoutMs holds while it pauses after many defects", () =>
    withFake((fake, clock) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const client = yield* makeClient({ leader })
        const partitioner = new (class extends Partitioner {
          override onBatchClosed(): void {
            throw new TypeError("planted")
          }
        })(client.random)
        const sender = yield* Sender.make(new BufferMemory(1_000_000), partitioner, Effect.void).pipe(
          Effect.provideService(ClusterClient, client),
          Effect.provideService(ProducerConfig, producerSettings({ leader, deliveryTimeoutMs: 1000 })),
          Effect.provide(yield* Layer.build(BackgroundFibers.layer))
        )
        yield* Effect.forkScoped(sender.run)
        yield* client.metadata.topic("orders")
        const record = { timestamp: 0, key: null, value: null }
        const send = Effect.either(
          Effect.async<Sent, SendError>((resume) =>
            sender.submit("orders", 0, { ...record, sizeBytes: sizeOf(record), index: 0, isBorrowed: false, listener: listenerOf(resume) })
          )
        )
        // The pauses double up to 5 s.
        for (let nth = 0; nth < 12; nth++) {
          const from = clock.unsafeCurrentTimeMillis()
          expect(Either.isLeft(yield* send)).toBe(true)
          expect(clock.unsafeCurrentTimeMillis() - from).toBeLessThanOrEqual(1001)
        }
      }).pipe(quietly)
    ))

  test("the caller's function of sendMessages: its defect stays its own", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader })
        const told: Array<number> = []
        const settled = spoiled((index: number) => void told.push(index), 1, 3)
        const beside = yield* Effect.fork(producer.sendMessage("orders", "beside"))
        yield* producer.sendMessages("orders", [{ value: "a" }, { value: "b" }, { value: "c" }, { value: "d" }], settled)
        yield* producer.flush
        expect(told).toEqual([1, 3])
        yield* Fiber.join(beside)
        expect((yield* producer.sendMessage("orders", "behind")).offset).toBe(5)
      }).pipe(quietly)
    ))

  test("a decompressor: poll names the position, and a seek goes past it", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader, compression: "gzip" })
        for (const value of ["a", "b", "c"]) yield* producer.sendMessage("orders", value)
        const compression = yield* Effect.provide(Compression, plainCompression)
        const flaky = Layer.succeed(Compression, { ...compression, decompress: spoiled(compression.decompress, 2) })
        const consumer = yield* Consumer.make({ leader }).pipe(Effect.provide(flaky))
        yield* consumer.assign([{ ...oneReader, at: "earliest" }])
        expect((yield* consumer.poll()).map(({ text }) => text)).toEqual(["a"])
        expect(yield* Effect.flip(consumer.poll())).toMatchObject({ _tag: "CorruptRecords", offset: 1, nextOffset: 2 })
        yield* consumer.seek("orders", 0, 2)
        expect((yield* consumer.poll()).map(({ text }) => text)).toEqual(["c"])
      }).pipe(quietly)
    ))

  test("a fetch loop: the next poll fails with it, and the consumer continues", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader })
        yield* producer.sendMessage("orders", "a")
        const client = yield* makeClient({ leader })
        const { topicId } = yield* client.metadata.topic("orders")
        const faults: Array<string> = []
        const fetcher = yield* Fetcher.make({
          onArrived: spoiled(() => {}, 1),
          onOutOfRange: () => {},
          onRecreated: () => {},
          onNode: () => {},
          onDefect: ({ part }) => void faults.push(part)
        }).pipe(Effect.provideService(ClusterClient, client), Effect.provideService(FetchConfig, consumerSettings({ leader })))
        const reader = new PartitionReader("orders", topicId, 0, 0)
        fetcher.follow([reader])
        yield* Effect.forkScoped(supervised("fetcher", fetcher.run, () => {}))
        while (faults.length === 0) yield* Effect.sleep(10)
        yield* producer.sendMessage("orders", "b")
        while (reader.fetchFrom < 2) yield* Effect.sleep(10)
        expect(faults).toEqual(["fetch loop"])
      }).pipe(quietly)
    ))

  test("the membership, where it joins and where its heart beats: the next poll says so, and it is a member again", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* Producer.make({ leader: realLeader })
        const { topicId } = yield* producer.addTopic("orders", { partitions: 1 })
        const scope = yield* Effect.scope
        const client = yield* makeClient({ leader: realLeader })
        const settings = consumerSettings({ leader: realLeader })
        const events = yield* ConsumerEvents.make
        const partitions = yield* AssignedPartitions.make.pipe(
          Effect.provideService(ClusterClient, client),
          Effect.provideService(FetchConfig, settings),
          Effect.provideService(ConsumerEvents, events)
        )
        const work = new PartitionWork(partitions)
        yield* Effect.forkScoped(partitions.run)
        // Its topics are asked for when it joins, and at each heartbeat.
        class Flaky extends Subscription {
          private readonly look = spoiled(() => super.topics, 1, 4)
          override get topics(): ReadonlyArray<string> {
            return this.look()
          }
        }
        const subscription = new Flaky()
        subscription.add("orders", { topicId, ends: new Map([[0, 0]]) })
        const coordinator = makeCoordinator(client, "billing")
        const context = { client, settings, subscription, subscriptionChanged: new Signal(), partitions, work, events, scope }
        const session = joinGroup(context, coordinator, membershipSettings({}))
        yield* session.start
        for (let nth = 0; nth < 2; nth++) {
          let fault = partitions.takeDefect()
          for (; fault === undefined; fault = partitions.takeDefect()) yield* Effect.sleep(100)
          expect(fault).toMatchObject({ part: "group membership" })
          while (partitions.positions.length === 0) yield* Effect.sleep(100)
        }
        yield* producer.sendMessage("orders", "v")
        let got = partitions.take(10)
        for (; got.length === 0; got = partitions.take(10)) yield* Effect.sleep(100)
        expect(got.map(({ text }) => text)).toEqual(["v"])
        yield* session.leave(1000)
      }).pipe(quietly)
    ))
})
