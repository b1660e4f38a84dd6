import { expect } from "bun:test"
import { Chunk, Data, Effect, Fiber, Schema, Stream } from "effect"
import { Consumer, deadLetter, Producer, records, Topic, worker } from "../../../../src/programs/library.ts"
import { connect } from "../../../../src/programs/promise.ts"
import { adminOf, type Case, consumerOf, polled, producerOf, readerOf, type Site, textsOf, topicOf, until } from "./site.ts"

class CardRefused extends Data.TaggedError("CardRefused")<{ readonly id: string }> {}

const Order = Schema.Struct({ id: Schema.String, cents: Schema.Int })
/** A typed topic, and one for what is put aside. */
const topics = (site: Site) =>
  Effect.gen(function* () {
    const name = yield* topicOf(site)
    const dead = site.named("dead")
    const admin = yield* adminOf(site)
    yield* admin.addTopic(dead, { partitions: 1 })
    return { dead, orders: Topic.make(name, { key: Schema.String, value: Order, headers: Schema.Struct({ tenant: Schema.String }), tombstones: true }) }
  })

export const typed: ReadonlyArray<Case> = [
  {
    name: "records passes a message that does not decode to the dead letter topic, with its bytes, headers and origin",
    run: (site) =>
      Effect.gen(function* () {
        const { dead, orders } = yield* topics(site)
        const [producer, consumer] = [yield* producerOf(site), yield* consumerOf(site)]
        const headers = { tenant: "acme" }
        yield* producer.send(orders, "ann", { id: "o-1", cents: 1 }, { headers })
        yield* producer.sendMessage(orders.name, "{", { key: "bob", headers: [{ key: "trace", value: "1" }] })
        yield* producer.send(orders, "ann", null, { headers })
        const read = records(orders, { group: site.named("group"), heartbeatIntervalMs: 100, onUndecodable: deadLetter(dead) }).pipe(
          Stream.tap(({ ack }) => ack),
          Stream.map(({ headers: { tenant }, key, value }) => [tenant, key, value?.id]),
          Stream.take(2),
          Stream.runCollect,
          Effect.provideService(Consumer, consumer),
          Effect.provideService(Producer, producer)
        )
        expect(Chunk.toReadonlyArray(yield* read)).toEqual([
          ["acme", "ann", "o-1"],
          ["acme", "ann", undefined]
        ])
        const [aside] = yield* polled(yield* readerOf(site, dead), 1)
        const texts = ["trace", "origin.topic", "origin.offset", "failure.error"].map((name) => aside?.headerText(name))
        expect([aside?.text, aside?.keyText, ...texts]).toEqual(["{", "bob", "1", orders.name, "1", "Undecodable"])
      })
  },
  {
    name: "a worker handles, retries in a topic, and puts aside after the last attempt",
    run: (site) =>
      Effect.gen(function* () {
        const { dead, orders } = yield* topics(site)
        const retry = site.named("retry")
        yield* (yield* adminOf(site)).addTopic(retry, { partitions: 1 })
        const [producer, consumer] = [yield* producerOf(site), yield* consumerOf(site)]
        const headers = { tenant: "acme" }
        for (const [id, cents] of [
          ["o-1", -1],
          ["o-2", 5]
        ] as const)
          yield* producer.send(orders, "ann", { id, cents }, { headers })
        const tries: Array<string> = []
        const bill = (order: typeof Order.Type | null) =>
          Effect.suspend(() => {
            tries.push(order?.id ?? "")
            return order === null || order.cents > 0 ? Effect.void : Effect.fail(new CardRefused({ id: order.id }))
          })
        const retries = { topic: retry, attempts: 2, delayMs: 50 }
        const running = yield* worker(orders, ({ value }) => bill(value), {
          group: site.named("group"),
          heartbeatIntervalMs: 100,
          deadLetter: dead,
          retries
        }).pipe(Effect.provideService(Consumer, consumer), Effect.provideService(Producer, producer), Effect.fork)
        yield* until(() => tries.length >= 3)
        const [aside] = yield* polled(yield* readerOf(site, dead), 1)
        yield* Fiber.interrupt(running)
        // The retry and the second order are in partitions of their own.
        expect([tries[0], ...tries.slice(1).sort()]).toEqual(["o-1", "o-1", "o-2"])
        expect(["origin.topic", "failure.error", "failure.attempts"].map((name) => aside?.headerText(name))).toEqual([orders.name, "CardRefused", "2"])
      })
  },
  {
    name: "the client of promises sends, reads and works",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        yield* Effect.promise(async () => {
          await using client = await connect(site.connection as Parameters<typeof connect>[0])
          const producer = await client.producer()
          for (const value of ["one", "two"]) await producer.sendMessage(topic, value)
          const consumer = await client.consumer({ from: "earliest" })
          await consumer.joinConsumerGroup(site.named("group"))
          await consumer.subscribe(topic)
          const got: Array<string> = []
          for await (const { text } of consumer.records()) if (got.push(text) === 2) break
          expect(got).toEqual(["one", "two"])
          const error = await producer.sendMessage("no topic", "v").catch((cause: unknown) => cause)
          expect(error).toMatchObject({ _tag: "InvalidArgument" })
        })
        expect(textsOf(yield* polled(yield* readerOf(site, topic), 2))).toEqual(["one", "two"])
      })
  }
]
