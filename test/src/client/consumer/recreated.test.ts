import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { makeClient } from "../../../../src/client/cluster/client.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { From } from "../../../../src/client/consumer/options.ts"
import type { ConsumerService } from "../../../../src/client/consumer/service.ts"
import { makeCoordinator } from "../../../../src/client/group/coordinator.ts"
import { commitOffsets, fetchOffsets, withoutMember } from "../../../../src/client/group/offsets.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, withCluster } from "../real-cluster.ts"

const texts = (prefix: string, count: number) => Array.from({ length: count }, (_, at) => `${prefix} ${at}`)
const polled = (consumer: ConsumerService, ms: number) =>
  Effect.gen(function* () {
    const got: Array<string> = []
    const clock = yield* Effect.clock
    for (const until = clock.unsafeCurrentTimeMillis() + ms; clock.unsafeCurrentTimeMillis() < until; )
      got.push(...(yield* consumer.poll({ timeoutMs: 500 })).map(({ text }) => text))
    return got
  })

describe("a topic that is removed and made again under its name", () => {
  for (const from of ["subscribed", "earliest", "latest"] as ReadonlyArray<From>)
    for (const awayMs of [0, 2000, 15_000])
      test(`${awayMs} ms later is read from its first message by a member that begins with "${from}"`, () =>
        withCluster(() =>
          Effect.gen(function* () {
            const producer = yield* Producer.make({ leader, createTopics: false })
            const consumer = yield* Consumer.make({ leader, from })
            yield* producer.addTopic("orders", { partitions: 1 })
            for (const text of texts("old", 50)) yield* producer.sendMessage("orders", text)
            yield* consumer.joinConsumerGroup("billing")
            yield* consumer.subscribe("orders")
            while ((yield* consumer.positions).length === 0) yield* Effect.sleep(100)
            yield* producer.sendMessage("orders", "live")
            expect((yield* polled(consumer, 3000)).at(-1)).toBe("live")
            yield* producer.removeTopic("orders")
            if (awayMs > 0) yield* polled(consumer, awayMs)
            yield* producer.addTopic("orders", { partitions: 1 })
            for (const text of texts("new", 40)) yield* producer.sendMessage("orders", text)
            expect(yield* polled(consumer, 20_000)).toEqual(texts("new", 40))
          })
        ))

  test("is not begun where another topic of that name was committed", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* Producer.make({ leader })
        const { topicId } = yield* producer.addTopic("orders", { partitions: 2 })
        for (const text of texts("new", 10)) yield* producer.sendMessage("orders", text, { partition: 0 })
        for (const text of texts("other", 10)) yield* producer.sendMessage("orders", text, { partition: 1 })
        const coordinator = makeCoordinator(yield* makeClient({ leader }), "billing")
        // What a cluster keeps that does not remove a group's offsets with their topic.
        yield* commitOffsets(coordinator, withoutMember, [
          { topic: "orders", partition: 0, offset: 7, topicId: "AAAAAAAAAAAAAAAAAAAAzw" },
          { topic: "orders", partition: 1, offset: 7, topicId }
        ])
        const consumer = yield* Consumer.make({ leader, from: "latest" })
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        expect((yield* polled(consumer, 5000)).sort()).toEqual([...texts("new", 10), "other 7", "other 8", "other 9"])
        yield* consumer.commit
        const committed = yield* fetchOffsets(coordinator, [{ topic: "orders", partition: 0 }])
        expect([...committed.values()]).toEqual([{ offset: 10, topicId }])
      })
    ))

  test("is not acknowledged by a message of the old one", () =>
    withCluster(() =>
      Effect.gen(function* () {
        const producer = yield* Producer.make({ leader, createTopics: false })
        const consumer = yield* Consumer.make({ leader, from: "earliest" })
        yield* producer.addTopic("orders", { partitions: 1 })
        yield* producer.sendMessage("orders", "old")
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        const next = Effect.gen(function* () {
          for (;;) {
            const [record] = yield* consumer.poll({ acknowledge: "each", maxRecords: 1 })
            if (record !== undefined) return record
          }
        })
        const old = yield* next
        yield* producer.removeTopic("orders")
        const { topicId } = yield* producer.addTopic("orders", { partitions: 1 })
        yield* producer.sendMessage("orders", "new")
        const fresh = yield* next
        expect([old.offset, fresh.offset, fresh.text, fresh.topicId]).toEqual([0, 0, "new", topicId])
        const coordinator = makeCoordinator(yield* makeClient({ leader }), "billing")
        const committed = Effect.map(fetchOffsets(coordinator, [{ topic: "orders", partition: 0 }]), (found) => [...found.values()].map(({ offset }) => offset))
        yield* consumer.acknowledge(old)
        yield* consumer.commit
        expect(yield* committed).toEqual([0])
        yield* consumer.acknowledge(fresh)
        yield* consumer.commit
        expect(yield* committed).toEqual([1])
      })
    ))
})
