import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber, Schema, Stream } from "effect"
import { Consumer } from "../../../../../src/client/consumer/consumer.ts"
import { records, recordsEither } from "../../../../../src/client/consumer/typed/records.ts"
import { Producer } from "../../../../../src/client/producer/producer.ts"
import * as Topic from "../../../../../src/client/topic/topic.ts"
import { leader, withCluster } from "../../real-cluster.ts"

const orders = Topic.make("orders", { key: Schema.String, value: Schema.Struct({ cents: Schema.Int }) })
const consumer = Consumer.layer({ leader, from: "earliest" })
const sent = (values: ReadonlyArray<string | Uint8Array | null>, partitions = 1) =>
  Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      yield* Effect.ignore(producer.addTopic("orders", { partitions }))
      for (const value of values) yield* producer.sendMessage("orders", value, { key: "k" })
    })
  )
const poison = ['{"cents":1}', "{", null, new Uint8Array([0xff]), '{"cents":2}']

describe("a message that does not decode", () => {
  test("ends the stream with its position, and a worker that skips gets past it", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent(poison)
        const seen: Array<number> = []
        const note = Stream.runForEach(({ ack, value }: { ack: Effect.Effect<void>; value: { cents: number } }) =>
          Effect.andThen(
            Effect.sync(() => seen.push(value.cents)),
            ack
          )
        )
        const failing = records(orders, { group: "billing" }).pipe(note, Effect.provide(consumer))
        expect(yield* Effect.flip(failing)).toMatchObject({ _tag: "Undecodable", topic: "orders", partition: 0, offset: 1, part: "value" })
        // Restarted as it was it meets the same message again: nothing was skipped without a word.
        expect(yield* Effect.flip(failing)).toMatchObject({ _tag: "Undecodable", offset: 1 })
        const skipping = records(orders, { group: "billing", onUndecodable: "skip" }).pipe(Stream.take(1), note, Effect.provide(consumer))
        yield* skipping
        expect(seen).toEqual([1, 2])
      })
    ))

  test("is handed to the caller's function with all that belongs to it, and is then processed", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent(poison)
        const dead: Array<readonly [number, string, Uint8Array | null]> = []
        const worker = records(orders, {
          group: "billing",
          onUndecodable: (record, { offset, part }) => Effect.sync(() => dead.push([offset, part, record.value]))
        })
        yield* worker.pipe(
          Stream.take(2),
          Stream.runForEach(({ ack }) => ack),
          Effect.provide(consumer)
        )
        expect(dead).toEqual([
          [1, "value", new TextEncoder().encode("{")],
          [2, "tombstone", null],
          [3, "value", new Uint8Array([0xff])]
        ])
        const refusing = records(orders, { group: "other", onUndecodable: () => Effect.fail("no room for dead letters") })
        expect(yield* Effect.flip(Stream.runDrain(refusing).pipe(Effect.provide(consumer)))).toBe("no room for dead letters")
      })
    ))

  test("is handled in its turn among the messages of its chunk", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent([...poison, '{"cents":3}', '{"cents":4}'])
        const told: Array<number | string> = []
        const note = (what: number | string) => Effect.sync(() => told.push(what))
        const chunks = yield* records(orders, { group: "billing", chunkRecordsMax: 3, onUndecodable: (_, { part }) => note(part) }).pipe(
          Stream.tap(({ ack, value }) => Effect.andThen(note(value.cents), ack)),
          Stream.take(4),
          Stream.chunks,
          Stream.runCollect,
          Effect.provide(consumer)
        )
        // What is behind a message that does not decode is not delivered before the caller's function has had that.
        expect(told).toEqual([1, "value", "tombstone", "value", 2, 3, 4])
        expect([...chunks].every(({ length }) => length <= 3)).toBe(true)
        // What was acknowledged is committed at the end.
        yield* sent(['{"cents":5}'])
        const [next] = yield* recordsEither(orders, { group: "billing", chunkRecordsMax: 100 }).pipe(
          Stream.take(1),
          Stream.runCollect,
          Effect.provide(consumer)
        )
        expect(next && Either.getOrThrow(next).value).toEqual({ cents: 5 })
      })
    ))

  test("a tombstone is null to a schema that takes null", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent(['{"cents":1}', null])
        const nullable = Topic.make("orders", { key: Schema.String, value: Schema.NullOr(Schema.Struct({ cents: Schema.Int })) })
        const values = yield* records(nullable, { group: "billing" }).pipe(
          Stream.take(2),
          Stream.map(({ value }) => value),
          Stream.runCollect,
          Effect.provide(consumer)
        )
        expect([...values]).toEqual([{ cents: 1 }, null])
      })
    ))
})

describe("a slow worker", () => {
  test("has no more in hand than it has begun: a second worker begins soon, and processes nothing twice", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent([], 4)
        const producer = yield* Producer.make({ leader })
        yield* Effect.forEach(Array.from({ length: 400 }), (_, at) => producer.send(orders, `k${at}`, { cents: at }), { concurrency: 50 })
        const by = new Map<number, Array<string>>()
        const times: Array<number> = []
        const worker = (name: string) =>
          records(orders, { group: "billing" }).pipe(
            Stream.runForEach(({ ack, value }) =>
              Effect.gen(function* () {
                yield* Effect.sleep(150)
                if (name === "b") times.push(Number(yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())))
                by.set(value.cents, [...(by.get(value.cents) ?? []), name])
                yield* ack
              })
            ),
            Effect.provide(consumer)
          )
        const a = yield* Effect.fork(worker("a"))
        yield* Effect.sleep(2000)
        const startedAt = yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
        const b = yield* Effect.fork(worker("b"))
        while (by.size < 400) yield* Effect.sleep(100)
        yield* Fiber.interruptAll([a, b])
        expect([...by.values()].filter((names) => names.length > 1)).toEqual([])
        // The first member learns of the rebalance by its next heartbeat.
        expect((times[0] ?? Number.POSITIVE_INFINITY) - startedAt).toBeLessThan(6000)
      })
    ))

  test("that becomes slow in the middle delivers nothing of a partition that was given away, however long the rebalance waits", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent([], 2)
        const producer = yield* Producer.make({ leader })
        const send = (from: number, to: number) =>
          Effect.forEach(Array.from({ length: to - from }), (_, at) => producer.send(orders, `k${from + at}`, { cents: from + at }), { concurrency: 100 })
        yield* send(0, 600)
        let begun = 0
        const byB: Array<number> = []
        const byA: Array<number> = []
        // Quick for 300 messages, and then longer for one than a rebalance waits.
        const a = yield* records(orders, { group: "billing", rebalanceTimeoutMs: 10_000 }).pipe(
          Stream.runForEach(({ ack, value }) =>
            Effect.andThen(
              Effect.suspend(() => (byA.push(value.cents), ++begun === 301 ? Effect.sleep(60_000) : Effect.void)),
              ack
            )
          ),
          Effect.provide(consumer),
          Effect.fork
        )
        while (begun <= 300) yield* Effect.sleep(20)
        const b = yield* records(orders, { group: "billing", rebalanceTimeoutMs: 10_000 }).pipe(
          Stream.runForEach(({ ack, value }) =>
            Effect.andThen(
              Effect.sync(() => byB.push(value.cents)),
              ack
            )
          ),
          Effect.provide(consumer),
          Effect.fork
        )
        // The first may have read all messages of the partition that the second gets.
        yield* Effect.sleep(30_000)
        yield* send(600, 800)
        while (new Set([...byA, ...byB]).size < 800 || byB.length === 0) yield* Effect.sleep(200)
        yield* Fiber.interruptAll([a, b])
        // The message in hand, which the group could not wait for, is the one that both have.
        expect(byB.filter((cents) => byA.includes(cents)).length).toBeLessThanOrEqual(1)
      })
    ))
})

describe("every message as a value", () => {
  test("what does not decode is a Left with its bytes and its position, and the stream continues", () =>
    withCluster(() =>
      Effect.gen(function* () {
        yield* sent(poison)
        const read = yield* recordsEither(orders, { group: "billing" }).pipe(
          Stream.tap(Either.match({ onLeft: ({ ack }) => ack, onRight: ({ ack }) => ack })),
          Stream.take(5),
          Stream.runCollect,
          Effect.provide(consumer)
        )
        expect(
          [...read].map(Either.match({ onLeft: ({ error, record }) => [error.part, error.offset, record.value], onRight: ({ value }) => value.cents }))
        ).toEqual([1, ["value", 1, new TextEncoder().encode("{")], ["tombstone", 2, null], ["value", 3, new Uint8Array([0xff])], 2])
        const again = yield* Consumer.make({ leader, from: "earliest" })
        yield* again.joinConsumerGroup("billing")
        yield* again.subscribe("orders")
        expect(yield* again.poll({ timeoutMs: 5000 })).toEqual([])
      })
    ))
})
