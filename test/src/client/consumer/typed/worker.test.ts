import { describe, expect, test } from "bun:test"
import { Cause, Data, Effect, Exit, Fiber, Schedule, Schema } from "effect"
import { Consumer } from "../../../../../src/client/consumer/consumer.ts"
import { deadLetter } from "../../../../../src/client/consumer/typed/dead-letter.ts"
import { decodeRecord } from "../../../../../src/client/consumer/typed/decode.ts"
import type { WorkerOptions } from "../../../../../src/client/consumer/typed/options.ts"
import { retryTopic, withRetries } from "../../../../../src/client/consumer/typed/retry.ts"
import { worker } from "../../../../../src/client/consumer/typed/worker.ts"
import { Producer } from "../../../../../src/client/producer/producer.ts"
import * as Topic from "../../../../../src/client/topic/topic.ts"
import { leader, withCluster } from "../../real-cluster.ts"

class CardRefused extends Data.TaggedError("CardRefused")<{ readonly cents: number }> {}
const orders = Topic.make("orders", { key: Schema.String, value: Schema.Struct({ cents: Schema.Int }) })
const options: WorkerOptions = { group: "billing", deadLetter: "orders.dead" }

const topics = Effect.gen(function* () {
  const producer = yield* Producer
  for (const topic of ["orders", "orders.dead", "orders.retry"]) yield* producer.addTopic(topic, { partitions: 1 })
  return producer
})
/** The messages of a topic, with their headers as texts. */
const read = (topic: string, count: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const consumer = yield* Consumer.make({ leader })
      yield* consumer.assign([{ topic, partition: 0, at: "earliest" }])
      const got: Array<{ key: string | null; text: string; headers: ReadonlyArray<readonly [string, string | null | undefined]> }> = []
      while (got.length < count)
        got.push(
          ...(yield* consumer.poll()).map((record) => ({
            key: record.keyText,
            text: record.text,
            headers: record.headers.map(({ key, value }) => [key, value === null ? null : new TextDecoder().decode(value)] as const)
          }))
        )
      return got
    })
  )
const until = (condition: () => boolean) =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep(50)
  })
const layers = [Producer.layer({ leader }), Consumer.layer({ leader, from: "earliest" })] as const

describe("a worker", () => {
  test("handles what decodes, and puts the rest into the dead letter topic with its bytes, its headers and its origin", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* topics
        const headers = ["b", "10", "b"].map((key, at) => ({ key, value: `${at}` }))
        yield* producer.send(orders, "ann", { cents: 1 })
        yield* producer.sendMessage("orders", "{", { key: "bob", headers, timestamp: 1_750_000_000_123 })
        yield* producer.sendMessage("orders", null, { key: "cyd" })
        yield* producer.sendMessage("orders", '{"cents":1.5}', { key: "eve" })
        yield* producer.send(orders, "dan", { cents: 2 })
        const seen: Array<number> = []
        const working = yield* Effect.fork(worker(orders, ({ value }) => Effect.sync(() => seen.push(value.cents)), options))
        const [poison, tombstone, fraction] = yield* read("orders.dead", 3)
        yield* until(() => seen.length === 2)
        yield* Fiber.interrupt(working)
        expect(seen).toEqual([1, 2])
        expect(poison).toMatchObject({ key: "bob", text: "{" })
        expect(poison?.headers).toEqual([
          ["b", "0"],
          ["10", "1"],
          ["b", "2"],
          ["origin.topic", "orders"],
          ["origin.partition", "0"],
          ["origin.offset", "1"],
          ["origin.timestamp", "1750000000123"],
          ["failure.error", "Undecodable"],
          ["failure.reason", expect.stringMatching(/^orders-0@1: the value cannot be decoded by the topic's schema: (?!.*readonly).*JSON/)],
          ["failure.at", expect.stringMatching(/^\d+$/)],
          ["failure.attempts", "1"]
        ])
        expect(tombstone).toMatchObject({ key: "cyd", text: "" })
        const reason = "orders-0@3: the value cannot be decoded by the topic's schema: cents: Expected an integer, actual 1.5"
        expect(Object.fromEntries(fraction?.headers ?? [])).toMatchObject({ "failure.reason": reason })
        const again = yield* Consumer
        yield* again.joinConsumerGroup("billing")
        yield* again.subscribe("orders")
        expect(yield* again.poll({ timeoutMs: 5000 })).toEqual([])
      }).pipe(Effect.provide(layers))
    ))

  test("handles a message again as often as it is told, in its place, and then puts it aside; a defect counts, too", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* topics
        for (const cents of [1, 2, 3, 4]) yield* producer.send(orders, "ann", { cents })
        const seen: Array<number> = []
        const bill = ({ value: { cents } }: { readonly value: { readonly cents: number } }) =>
          Effect.suspend(() => {
            seen.push(cents)
            if (cents === 3) throw new Error("a bug")
            return cents === 2 ? Effect.fail(new CardRefused({ cents })) : Effect.void
          })
        const working = yield* Effect.fork(worker(orders, bill, { ...options, retries: { attempts: 3, delayMs: 500 } }))
        const [refused, broken] = yield* read("orders.dead", 2)
        yield* until(() => seen.length === 8)
        yield* Fiber.interrupt(working)
        expect(seen).toEqual([1, 2, 2, 2, 3, 3, 3, 4])
        expect([refused?.text, broken?.text]).toEqual(['{"cents":2}', '{"cents":3}'])
        expect(Object.fromEntries(refused?.headers ?? [])).toMatchObject({
          "failure.error": "CardRefused",
          "failure.reason": expect.stringContaining('"cents":2'),
          "failure.attempts": "3"
        })
        expect(Object.fromEntries(broken?.headers ?? [])).toMatchObject({ "failure.error": "Error", "failure.reason": "a bug" })
      }).pipe(Effect.provide(layers))
    ))

  test("with a retry topic the partition continues; the message is handled again after its time, and put aside after its last attempt", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* topics
        for (const cents of [1, 2, 3]) yield* producer.send(orders, "ann", { cents })
        const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
        const seen: Array<readonly [cents: number, at: number]> = []
        const bill = ({ value: { cents } }: { readonly value: { readonly cents: number } }) =>
          Effect.flatMap(now, (at) => {
            seen.push([cents, at])
            return cents === 1 ? Effect.fail(new CardRefused({ cents })) : Effect.void
          })
        const working = yield* Effect.fork(worker(orders, bill, { ...options, retries: { attempts: 3, delayMs: 20_000, topic: "orders.retry" } }))
        const [dead] = yield* read("orders.dead", 1)
        yield* Fiber.interrupt(working)
        expect(seen.map(([cents]) => cents)).toEqual([1, 2, 3, 1, 1])
        const [first, second, third] = seen.filter(([cents]) => cents === 1).map(([, at]) => at)
        for (const gap of [(second ?? 0) - (first ?? 0), (third ?? 0) - (second ?? 0)]) {
          expect(gap).toBeGreaterThanOrEqual(20_000)
          expect(gap).toBeLessThan(25_000)
        }
        expect(dead).toMatchObject({ key: "ann", text: '{"cents":1}' })
        expect(Object.fromEntries(dead?.headers ?? [])).toMatchObject({
          "origin.topic": "orders",
          "origin.offset": "0",
          "failure.error": "CardRefused",
          "failure.attempts": "3"
        })
      }).pipe(Effect.provide(layers))
    ))

  test("stops where it cannot put a message aside: nothing is lost", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* Producer
        yield* producer.addTopic("orders", { partitions: 1 })
        yield* producer.sendMessage("orders", "{")
        const stopped = yield* Effect.flip(worker(orders, () => Effect.void, { ...options, deadLetter: "nowhere" }))
        expect(stopped).toMatchObject({ _tag: "UnknownTopic", topic: "nowhere" })
        const next = yield* Consumer.make({ leader, from: "earliest" })
        yield* next.joinConsumerGroup("billing")
        yield* next.subscribe("orders")
        expect((yield* next.poll({ timeoutMs: 20_000 })).map(({ text }) => text)).toEqual(["{"])
      }).pipe(Effect.provide(layers))
    ))

  test("ends where the handler returns no Effect, instead of putting every message aside", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* (yield* topics).send(orders, "ann", { cents: 1 })
        const asynchronous = (() => Promise.resolve()) as unknown as () => Effect.Effect<void>
        const ends = yield* Effect.forEach([{}, { topic: "orders.retry" }], (retries) =>
          Effect.exit(worker(orders, asynchronous, { ...options, retries: { ...retries, attempts: 1 } }))
        )
        for (const end of ends)
          expect(Exit.isFailure(end) ? Cause.squash(end.cause) : end).toMatchObject({
            _tag: "InvalidArgument",
            field: "the result of the handler",
            given: 'an object of "Promise"'
          })
      }).pipe(Effect.provide(layers))
    ))

  test("refuses what it cannot use", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const refused = (given: unknown) => Effect.flip(worker(orders, () => Effect.void, given as WorkerOptions))
        expect(yield* refused({ group: "billing" })).toMatchObject({ _tag: "InvalidArgument", call: "worker", field: "options.deadLetter" })
        expect(yield* refused({ ...options, retries: { attempts: 0 } })).toMatchObject({ field: "options.retries.attempts" })
        expect(yield* refused({ ...options, heartbeatIntervalMs: 10_000 })).toMatchObject({ field: "options.heartbeatIntervalMs" })
        expect(() => retryTopic({ topic: "a b", deadLetter: "x" })).toThrow("options.topic")
        expect(() => withRetries(() => Effect.void, { schedule: 5 as never, giveUp: () => Effect.void })).toThrow("options.schedule")
        expect(() => decodeRecord(orders, {} as never)).toThrow("decodeRecord: record.topic")
        expect(() => decodeRecord({} as typeof orders, {} as never)).toThrow("decodeRecord: topic")
        expect(yield* Effect.flip(deadLetter("a b")({} as never, "x"))).toMatchObject({ _tag: "InvalidArgument", call: "deadLetter" })
      }).pipe(Effect.provide(layers))
    ))

  test("a schedule has its own pauses, within the bound of the attempts", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const startedAt = (yield* Effect.clock).unsafeCurrentTimeMillis()
        let attempts = 0
        const failing = () => Effect.suspend(() => Effect.fail(`attempt ${++attempts}`))
        const gaveUp: Array<unknown> = []
        const handle = withRetries(failing, {
          attempts: 4,
          schedule: Schedule.exponential(1000),
          giveUp: (message: string, error) => Effect.sync(() => gaveUp.push([message, error]))
        })
        yield* handle("m")
        expect(gaveUp).toEqual([["m", "attempt 4"]])
        expect((yield* Effect.clock).unsafeCurrentTimeMillis() - startedAt).toBe(7000)
      })
    ))
})
