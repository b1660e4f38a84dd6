import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import type { PartitionerInput } from "../../../../src/client/producer/accumulator/partitioner.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, withFake } from "../support.ts"

test("a custom partitioner chooses by the whole message, and not where the message names its partition", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 4)
      const asked: Array<PartitionerInput> = []
      const partitioner = (message: PartitionerInput) => {
        asked.push(message)
        return message.headers[0]?.value?.[0]
      }
      const producer = yield* Producer.make({ leader, partitioner })
      const partitions: Array<number> = []
      for (const partition of [2, 0, 3])
        partitions.push((yield* producer.sendMessage("orders", "v", { key: "k", headers: { to: Uint8Array.of(partition) } })).partition)
      expect(partitions).toEqual([2, 0, 3])
      expect((yield* producer.sendMessage("orders", "v", { partition: 1 })).partition).toBe(1)
      expect(asked.length).toBe(3)
      expect(asked[0]).toMatchObject({ topic: "orders", partitions: 4, available: [0, 1, 2, 3], key: new TextEncoder().encode("k") })
      // Without an answer the default partitioner decides: by the key.
      const [one, other] = [yield* producer.sendMessage("orders", "v", { key: "same" }), yield* producer.sendMessage("orders", "v", { key: "same" })]
      expect(one.partition).toBe(other.partition)
    })
  ))

test("a partitioner that throws or chooses no partition fails its message alone, and frees the message's memory", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 2)
      const wrong = new Map<string, unknown>([
        ["beyond", 2],
        ["negative", -1],
        ["half", 0.5],
        ["text", "1"],
        ["nothing", null],
        ["promise", Promise.resolve(1)]
      ])
      const partitioner = ({ value }: PartitionerInput): number => {
        const text = new TextDecoder().decode(value ?? undefined)
        if (text === "throws") throw new Error("no luck")
        return (wrong.has(text) ? wrong.get(text) : 1) as number
      }
      // Memory for one message: the next would wait for memory that is not freed.
      const producer = yield* Producer.make({ leader, partitioner, bufferBytesMax: 50, bufferTimeoutMs: 1000 })
      for (const value of [...wrong.keys(), "throws"]) {
        const error = yield* Effect.flip(producer.sendMessage("orders", value))
        expect(error).toMatchObject({ _tag: "InvalidArgument", call: "options.partitioner" })
      }
      const [refused, stored] = yield* producer.sendBatch("orders", [{ value: "half" }, { value: "good" }])
      expect(refused?._tag).toBe("Left")
      expect(stored === undefined ? undefined : Either.getOrThrow(stored)).toMatchObject({ partition: 1, offset: 0 })
    })
  ))
