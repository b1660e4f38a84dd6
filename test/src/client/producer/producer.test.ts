import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import type { KafkaError } from "../../../../domain/kernel/error-code.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import type { Fate } from "../fake-cluster.ts"
import { leader, withFake } from "../support.ts"

const fates = (...list: ReadonlyArray<Fate>): (() => Fate) => {
  const left = [...list]
  return () => left.shift() ?? "stored"
}
const errorOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.either(effect), (either) => (Either.isLeft(either) ? either.left : undefined))

describe("sending", () => {
  test("a message is stored where the answer says, with key, headers and time", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 3)
        const producer = yield* Producer.make({ leader })
        const sent = yield* producer.sendMessage("orders", "hello", { key: "customer-7", headers: { trace: "1", none: null }, timestamp: 42 })
        const [record] = fake.records("orders", sent.partition)
        expect(sent).toEqual({ topic: "orders", partition: sent.partition, offset: 0, timestamp: 42 })
        expect(new TextDecoder().decode(record?.key ?? undefined)).toBe("customer-7")
        expect(record?.headers.map(({ key, value }) => [key, value === null ? null : new TextDecoder().decode(value)])).toEqual([
          ["trace", "1"],
          ["none", null]
        ])
        expect(record?.timestamp).toBe(42)
        expect(yield* producer.sendMessage("orders", null, { partition: 2 })).toMatchObject({ partition: 2 })
        expect(fake.records("orders", 2).at(-1)?.value).toBeNull()
      })
    ))

  test("messages of concurrent calls travel in one batch, and each gets its own offset", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader })
        yield* producer.sendMessage("orders", "first")
        const sent = yield* Effect.forEach(Array.from({ length: 500 }), (_, at) => producer.sendMessage("orders", `${at}`), { concurrency: "unbounded" })
        expect(sent.map(({ offset }) => offset)).toEqual(Array.from({ length: 500 }, (_, at) => at + 1))
        expect(fake.partition("orders", 0).batches.length).toBeLessThan(10)
        expect(fake.texts("orders", 0).slice(1)).toEqual(Array.from({ length: 500 }, (_, at) => `${at}`))
      })
    ))

  test("linger holds a batch back for more, and flush does not wait for it", () =>
    withFake((fake, clock) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader, lingerMs: 5000 })
        yield* Effect.fork(producer.sendMessage("orders", "a"))
        yield* Effect.sleep(1000)
        yield* Effect.fork(producer.sendMessage("orders", "b"))
        yield* Effect.sleep(1000)
        expect(fake.texts("orders", 0)).toEqual([])
        const before = clock.unsafeCurrentTimeMillis()
        yield* producer.flush
        expect(clock.unsafeCurrentTimeMillis() - before).toBeLessThan(1000)
        expect(fake.texts("orders", 0)).toEqual(["a", "b"])
        expect(fake.partition("orders", 0).batches.length).toBe(1)
      })
    ))

  test("closing sends what waits", async () => {
    const texts = await withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const producer = yield* Producer.make({ leader, lingerMs: 60_000 })
            yield* Effect.fork(producer.sendMessage("orders", "last words"))
            yield* Effect.sleep(10)
          })
        )
        return fake.texts("orders", 0)
      })
    )
    expect(texts).toEqual(["last words"])
  })

  test("a full buffer makes senders wait, and says so when nothing moves", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader, bufferBytesMax: 1000, bufferTimeoutMs: 300, deliveryTimeoutMs: 2000 })
        const value = "x".repeat(400)
        const sent = yield* Effect.forEach(Array.from({ length: 20 }), () => producer.sendMessage("orders", value), { concurrency: "unbounded" })
        expect(sent.length).toBe(20)
        fake.move("orders", 0, -1)
        fake.fate = () => "NOT_LEADER_OR_FOLLOWER"
        const errors = yield* Effect.forEach(Array.from({ length: 4 }), () => errorOf(producer.sendMessage("orders", value)), { concurrency: "unbounded" })
        expect(errors.map((error) => error?._tag)).toEqual(["OutcomeUnknown", "OutcomeUnknown", "BufferFull", "BufferFull"])
      })
    ))
})

describe("what a user can act on", () => {
  const cases: ReadonlyArray<readonly [error: KafkaError, tag: string]> = [
    ["TOPIC_AUTHORIZATION_FAILED", "NotAuthorized"],
    ["INVALID_TOPIC_EXCEPTION", "InvalidTopic"],
    ["NOT_ENOUGH_REPLICAS", "NotEnoughReplicas"],
    ["MESSAGE_TOO_LARGE", "MessageTooLarge"],
    ["INVALID_RECORD", "KafkaFailure"],
    ["KAFKA_STORAGE_ERROR", "OutcomeUnknown"],
    ["PRODUCER_FENCED", "Fenced"]
  ]
  test.each(cases)("%s is %s", (error, tag) =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        fake.fate = () => error
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 3000 })
        const failed = yield* errorOf(producer.sendMessage("orders", "x"))
        expect(failed?._tag).toBe(tag as never)
        // What failed leaves no hole: the next message is stored.
        fake.fate = () => "stored"
        expect(yield* producer.sendMessage("orders", "y")).toMatchObject({ offset: 0 })
      })
    )
  )

  test("a topic that is not there, a partition that is not there, a message over the client's own bound", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 2)
        const producer = yield* Producer.make({ leader, messageBytesMax: 100, unknownTopicTimeoutMs: 500 })
        expect(yield* errorOf(producer.sendMessage("nowhere", "x"))).toMatchObject({ _tag: "UnknownTopic", topic: "nowhere" })
        expect(yield* errorOf(producer.sendMessage("orders", "x", { partition: 2 }))).toMatchObject({ _tag: "UnknownPartition", partitions: 2 })
        expect(yield* errorOf(producer.sendMessage("orders", "x".repeat(200)))).toMatchObject({ _tag: "MessageTooLarge", limitBytes: 100 })
        expect(fake.seen.filter((api) => api === "Produce")).toEqual([])
      })
    ))

  test("a topic comes into being where the cluster makes topics", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.autoCreate = true
        const producer = yield* Producer.make({ leader })
        expect(yield* producer.sendMessage("fresh", "x")).toMatchObject({ topic: "fresh", offset: 0 })
      })
    ))

  test("no node responds", async () => {
    const failed = await withFake(() => errorOf(Effect.scoped(Producer.make({ leader: "node7:1,node8:2", retryTimeoutMs: 1000 }))))
    expect(failed).toMatchObject({ _tag: "NotReachable", addresses: ["node7:1", "node8:2"] })
    expect(await withFake(() => errorOf(Effect.scoped(Producer.make({ leader: "nonsense" }))))).toMatchObject({ _tag: "InvalidAddress" })
  })
})

describe("what is tried again", () => {
  const retriable: ReadonlyArray<Fate> = [
    "lost",
    "dropped",
    "NOT_LEADER_OR_FOLLOWER",
    "LEADER_NOT_AVAILABLE",
    "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "REQUEST_TIMED_OUT",
    "KAFKA_STORAGE_ERROR",
    "UNKNOWN_TOPIC_OR_PARTITION"
  ]
  test.each(retriable)("%s, and the message is stored once (L4)", (fate) =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        fake.fate = fates(fate, fate)
        const producer = yield* Producer.make({ leader })
        expect(yield* producer.sendMessage("orders", "once")).toMatchObject({ offset: 0 })
        expect(yield* producer.sendMessage("orders", "next")).toMatchObject({ offset: 1 })
        expect(fake.texts("orders", 0)).toEqual(["once", "next"])
      })
    )
  )

  test("a partition that moves is followed to its new leader", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader })
        yield* producer.sendMessage("orders", "here")
        fake.move("orders", 0, 1)
        expect(yield* producer.sendMessage("orders", "there")).toMatchObject({ offset: 1 })
        fake.move("orders", 0, -1)
        const waiting = yield* Effect.fork(producer.sendMessage("orders", "again"))
        yield* Effect.sleep(2000)
        fake.move("orders", 0, 0)
        expect(yield* waiting).toMatchObject({ offset: 2 })
      })
    ))

  test("the broker forgot the producer: the partition continues under the next epoch", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader })
        yield* producer.sendMessage("orders", "a")
        fake.fate = fates("UNKNOWN_PRODUCER_ID")
        expect(yield* producer.sendMessage("orders", "b")).toMatchObject({ offset: 1 })
        expect(fake.partition("orders", 0).batches.map(({ baseSequence, producerEpoch }) => [producerEpoch, baseSequence])).toEqual([
          [0, 0],
          [1, 0]
        ])
      })
    ))

  test("a batch over the topic's bound is halved until it fits", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        fake.batchBytesMax = 1000
        const producer = yield* Producer.make({ leader })
        const values = Array.from({ length: 40 }, (_, at) => `${at}`.padStart(100, "0"))
        const sent = yield* Effect.forEach(values, (value) => producer.sendMessage("orders", value), { concurrency: "unbounded" })
        expect(fake.texts("orders", 0)).toEqual(values)
        expect(sent.map(({ offset }) => offset)).toEqual(values.map((_, at) => at))
        expect(yield* errorOf(producer.sendMessage("orders", "x".repeat(2000)))).toMatchObject({ _tag: "MessageTooLarge" })
        expect(yield* producer.sendMessage("orders", "small")).toMatchObject({ offset: 40 })
      })
    ))

  test("a delivery that is given up in doubt is never sent again (L4)", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 2000 })
        yield* producer.sendMessage("orders", "a")
        fake.fate = () => "REQUEST_TIMED_OUT"
        expect(yield* errorOf(producer.sendMessage("orders", "b"))).toMatchObject({ _tag: "OutcomeUnknown" })
        fake.fate = () => "stored"
        yield* producer.sendMessage("orders", "c")
        expect(fake.texts("orders", 0)).toEqual(["a", "b", "c"])
      })
    ))
})

describe("topics", () => {
  test("are added and removed, and a repetition carries the same command id", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.errors.set("CreateTopics", ["NOT_CONTROLLER", "REQUEST_TIMED_OUT"])
        const producer = yield* Producer.make({ leader })
        expect(yield* producer.addTopic("orders", { partitions: 4 })).toMatchObject({ topic: "orders", partitions: 4 })
        expect(fake.commands.length).toBe(3)
        expect(new Set(fake.commands).size).toBe(1)
        expect(yield* errorOf(producer.addTopic("orders"))).toMatchObject({ _tag: "TopicExists" })
        expect(new Set(fake.commands).size).toBe(2)
        yield* producer.sendMessage("orders", "x")
        yield* producer.removeTopic("orders")
        expect(yield* errorOf(producer.removeTopic("orders"))).toMatchObject({ _tag: "UnknownTopic" })
      })
    ))
})
