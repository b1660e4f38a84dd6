import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import type { SendError, Sent } from "../../../../src/client/producer/accumulator/delivery.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader as realLeader, withCluster } from "../real-cluster.ts"
import { leader, withFake } from "../support.ts"

const texts = (count: number) => Array.from({ length: count }, (_, at) => ({ value: `${at}` }))

test("many messages are each told where they are, in the order in which they were given", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const producer = yield* Producer.make({ leader })
      const outcomes = new Map<number, Either.Either<Sent, SendError>>()
      yield* producer.sendMessages("orders", texts(3000), (index, outcome) => void outcomes.set(index, outcome))
      yield* producer.flush
      expect(outcomes.size).toBe(3000)
      for (const [index, outcome] of outcomes) expect(Either.getOrThrow(outcome)).toMatchObject({ partition: 0, offset: index })
      expect(fake.texts("orders", 0)).toEqual(texts(3000).map(({ value }) => value))
    })
  ))

test("one that is refused is told alone, and the others are stored", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 2)
      const producer = yield* Producer.make({ leader, messageBytesMax: 100 })
      const refused: Array<[number, string]> = []
      const messages = [{ value: "a", partition: 1 }, { value: "x".repeat(200) }, { value: "b", partition: 7 }, { value: "c", partition: 1 }]
      yield* producer.sendMessages("orders", messages, (index, outcome) => {
        if (Either.isLeft(outcome)) refused.push([index, outcome.left._tag])
      })
      yield* producer.flush
      expect(refused).toEqual([
        [1, "MessageTooLarge"],
        [2, "UnknownPartition"]
      ])
      expect(fake.texts("orders", 1)).toEqual(["a", "c"])
    })
  ))

test("messages without a key go around the partitions as batches fill, without waiting for an answer", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 4)
      const producer = yield* Producer.make({ leader, batchBytesMax: 1000 })
      yield* producer.sendMessages("orders", texts(5000), () => {})
      yield* producer.flush
      for (const partition of [0, 1, 2, 3]) expect(fake.texts("orders", partition).length).toBeGreaterThan(100)
    })
  ))

test("records that the topic's settings refuse fail alone: those beside them in the batch are stored, in order", () =>
  withCluster((_, clock) =>
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader: realLeader, lingerMs: 20 })
      yield* producer.addTopic("orders", { partitions: 1 })
      const late = clock.unsafeCurrentTimeMillis() + 365 * 86_400_000
      for (let round = 0; round < 2; round++) {
        const sent = yield* Effect.forEach(
          [undefined, late, undefined, Number.MAX_SAFE_INTEGER, undefined],
          (timestamp, at) => Effect.either(producer.sendMessage("orders", `${round}.${at}`, timestamp === undefined ? {} : { timestamp })),
          { concurrency: 5 }
        )
        expect(sent.map((one) => (Either.isLeft(one) ? (one.left as { error?: string }).error : one.right.offset - round * 3))).toEqual([
          0,
          "INVALID_TIMESTAMP",
          1,
          "INVALID_TIMESTAMP",
          2
        ])
      }
      yield* producer.flush
    })
  ))
