import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber, Stream } from "effect"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerEvent } from "../../../../src/client/consumer/events.ts"
import type { ConsumerService } from "../../../../src/client/consumer/service.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, withFake } from "../support.ts"

const errorOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.either(effect), (either) => (Either.isLeft(either) ? either.left : undefined))
const take = (consumer: ConsumerService, count: number) =>
  Effect.gen(function* () {
    const got: Array<string> = []
    while (got.length < count) got.push(...(yield* consumer.poll()).map(({ partition, offset, text }) => `${partition}@${offset} ${text}`))
    return got
  })
const send = (values: ReadonlyArray<string>, partition = 0) =>
  Effect.scoped(
    Effect.flatMap(Producer.make({ leader }), (producer) => Effect.forEach(values, (value) => producer.sendMessage("orders", value, { partition })))
  )

describe("reading partitions without a group", () => {
  test("from the start, the end, an offset or a time", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 2)
        yield* send(["a", "b", "c"])
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        expect(yield* take(consumer, 3)).toEqual(["0@0 a", "0@1 b", "0@2 c"])
        yield* consumer.assign([{ topic: "orders", partition: 0, at: { offset: 1 } }])
        expect(yield* take(consumer, 2)).toEqual(["0@1 b", "0@2 c"])
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "latest" }])
        yield* send(["d"])
        expect(yield* take(consumer, 1)).toEqual(["0@3 d"])
        expect(yield* consumer.positions).toEqual([{ topic: "orders", partition: 0, offset: 4 }])
        expect(yield* consumer.seek("orders", 0, 0)).toBe(true)
        expect(yield* take(consumer, 4)).toEqual(["0@0 a", "0@1 b", "0@2 c", "0@3 d"])
        yield* consumer.assign([])
        expect(yield* errorOf(consumer.poll())).toMatchObject({ _tag: "NotSubscribed" })
      })
    ))

  test("follows a partition to its new leader, over broken connections, and skips nothing (L8)", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        const got: Array<string> = []
        for (let round = 0; round < 6; round++) {
          yield* send([`${round}a`, `${round}b`])
          if (round % 2 === 0) fake.move("orders", 0, 1 - fake.partition("orders", 0).leader)
          else fake.network.drop("client")
          got.push(...(yield* take(consumer, 2)))
        }
        expect(got).toEqual([0, 1, 2, 3, 4, 5].flatMap((round) => [`0@${round * 2} ${round}a`, `0@${round * 2 + 1} ${round}b`]))
      })
    ))

  test("responses for topics that were not requested do not repeat without a pause", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const consumer = yield* Consumer.make({ leader })
        fake.strayTopicId = "AAAAAAAAAAAAAAAAAAAAzw"
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        yield* Effect.sleep(20_000)
        const fetches = fake.seen.filter((name) => name.includes("Fetch")).length
        expect(fetches).toBeGreaterThan(3)
        expect(fetches).toBeLessThan(30)
        fake.strayTopicId = undefined
        yield* send(["a"])
        expect(yield* take(consumer, 1)).toEqual(["0@0 a"])
      })
    ))

  test("bytes that are no records stop the partition there, and a seek goes past them", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* send(["a"])
        yield* send(["b"])
        yield* send(["c"])
        const bad = fake.partition("orders", 0).batches[1]?.bytes
        if (bad !== undefined) bad[67] = (bad[67] ?? 0) ^ 0xff
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        expect(yield* take(consumer, 1)).toEqual(["0@0 a"])
        for (let twice = 0; twice < 2; twice++)
          expect(yield* errorOf(consumer.poll())).toMatchObject({ _tag: "CorruptRecords", topic: "orders", partition: 0, offset: 1 })
        yield* consumer.seek("orders", 0, 2)
        expect(yield* take(consumer, 1)).toEqual(["0@2 c"])
      })
    ))

  test("an offset that the caller named and the partition lacks is an error", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* send(["a"])
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: { offset: 50 } }])
        expect(yield* errorOf(consumer.poll())).toMatchObject({ _tag: "OffsetOutOfRange", offset: 50 })
        expect(yield* errorOf(consumer.assign([{ topic: "orders", partition: 7, at: "earliest" }]))).toMatchObject({ _tag: "UnknownPartition", partitions: 1 })
      })
    ))

  test("a topic that is made anew under its name is read from its first message", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* send(["a", "b"])
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        yield* take(consumer, 2)
        fake.topics.delete("orders")
        fake.generation += 1
        yield* Effect.sleep(2000)
        fake.add("orders", 1)
        yield* send(["new"])
        expect(yield* take(consumer, 1)).toEqual(["0@0 new"])
      })
    ))

  test("a node that is busy for longer than the silence of a half-open connection is read, too", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* send(["a", "b", "c"])
        const consumer = yield* Consumer.make({ leader })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        yield* take(consumer, 3)
        fake.fetchQueueMs = 9000
        const clock = yield* Effect.clock
        const from = clock.unsafeCurrentTimeMillis()
        for (let round = 0; round < 4; round++) {
          yield* consumer.seek("orders", 0, 1)
          const got: Array<number> = []
          for (let polls = 0; polls < 40 && got.length < 2; polls++) got.push(...(yield* consumer.poll()).map(({ offset }) => offset))
          expect(got).toEqual([1, 2])
        }
        // A fetch from the end is under way at each seek. One connection is left before its response, the first.
        expect(clock.unsafeCurrentTimeMillis() - from).toBeLessThan(5500 + 8 * 9200)
        // A node that has recovered is left as early as before.
        fake.fetchQueueMs = 0
        yield* consumer.seek("orders", 0, 0)
        yield* take(consumer, 3)
        yield* Effect.sleep(2000)
        fake.network.freeze("client", "node0")
        const frozenAt = clock.unsafeCurrentTimeMillis()
        yield* send(["d"]).pipe(Effect.provide(fake.network.layer("elsewhere")))
        yield* take(consumer, 1)
        expect(clock.unsafeCurrentTimeMillis() - frozenAt).toBeLessThan(8000)
      })
    ))

  test("a poll returns what is there when its time is over: a process that was paused reads it after its timers", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.network.conditions = { ...fake.network.conditions, delayMs: [0, 0] }
        fake.add("orders", 1)
        yield* send(["a"])
        const consumer = yield* Consumer.make({ leader })
        const place = { topic: "orders", partition: 0 }
        yield* consumer.pause(place)
        yield* consumer.assign([{ ...place, at: "earliest" }])
        // The response and the end of the poll are due at the same time, and the timer of the poll was set first.
        fake.fetchQueueMs = 3000
        const polling = yield* Effect.fork(consumer.poll({ timeoutMs: 3000 }))
        yield* Effect.yieldNow()
        yield* consumer.resume(place)
        expect((yield* Fiber.join(polling)).map(({ text }) => text)).toEqual(["a"])
      })
    ))

  test("an offset that the partition lacks is left with an event", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* send(["a", "b"])
        const consumer = yield* Consumer.make({ leader })
        const events: Array<ConsumerEvent> = []
        yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) => Effect.sync(() => events.push(event))))
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        yield* take(consumer, 2)
        yield* consumer.seek("orders", 0, 50)
        expect(yield* consumer.poll({ timeoutMs: 5000 })).toEqual([])
        expect(yield* consumer.positions).toEqual([{ topic: "orders", partition: 0, offset: 2 }])
        expect(events).toEqual([{ _tag: "OffsetReset", topic: "orders", partition: 0, offset: 50, nextOffset: 2 }])
      })
    ))

  test("reads ahead within its bound", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* Effect.forEach(Array.from({ length: 12 }), () => send(["x".repeat(1000)]))
        const consumer = yield* Consumer.make({ leader, bufferBytesMax: 2500 })
        yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
        yield* Effect.sleep(5000)
        // Three batches of some 1,070 bytes an answer: after the first there is no room for another.
        expect(fake.seen.filter((api) => api === "Fetch").length).toBe(1)
        expect((yield* take(consumer, 12)).length).toBe(12)
      })
    ))
})

describe("metadata", () => {
  test("is asked once for callers at the same time, and errors of the cluster pass", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 4)
        fake.errors.set("Metadata", ["UNKNOWN_SERVER_ERROR"])
        const producer = yield* Producer.make({ leader })
        const before = fake.seen.filter((api) => api === "Metadata").length
        yield* Effect.forEach(Array.from({ length: 100 }), () => producer.sendMessage("orders", "x"), { concurrency: "unbounded" })
        expect(fake.seen.filter((api) => api === "Metadata").length).toBe(before + 1)
      })
    ))
})
