import { expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, withFake } from "../support.ts"

test("a batch returns the delivery report of each message, in their order; one that cannot be sent fails alone", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 2)
      const producer = yield* Producer.make({ leader, messageBytesMax: 1000 })
      const messages = [
        { value: "a", partition: 1, timestamp: 5 },
        { value: 42 as unknown as string, partition: 1 },
        { value: "x".repeat(2000), partition: 1 },
        { value: "b", partition: 9 },
        { value: "c", partition: 1 }
      ]
      const reports = yield* producer.sendBatch("orders", messages)
      expect(reports.map((report) => (Either.isRight(report) ? report.right.offset : report.left._tag))).toEqual([
        0,
        "InvalidArgument",
        "MessageTooLarge",
        "UnknownPartition",
        1
      ])
      expect(reports[1]).toMatchObject({ left: { call: "sendBatch", field: "value" } })
      expect(fake.records("orders", 1)[0]?.timestamp).toBe(5)
      expect(yield* producer.sendBatch("orders", [])).toEqual([])
    })
  ))

test("a list that the caller changes during the call, and one with holes, have all their reports", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const producer = yield* Producer.make({ leader })
      const messages = Array.from({ length: 3000 }, (_, at) => ({ value: `${at}` }))
      const sending = yield* Effect.fork(producer.sendBatch("orders", messages))
      yield* Effect.yieldNow()
      messages.length = 10
      expect((yield* Fiber.join(sending)).length).toBe(3000)
      const holes: Array<{ value: string }> = []
      holes[1] = { value: "middle" }
      holes.length = 3
      const reports = yield* producer.sendBatch("orders", holes)
      expect([...reports].map((report) => report._tag)).toEqual(["Left", "Right", "Left"])
    })
  ))

test("messages over waitingBytesMax fail at once, and those that wait are stored", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const producer = yield* Producer.make({ leader, bufferBytesMax: 1100, waitingBytesMax: 3100 })
      yield* producer.sendMessage("orders", "first")
      fake.fate = () => "deaf"
      const send = (nth: number) => Effect.either(producer.sendMessage("orders", `${nth}${"x".repeat(950)}`, { partition: 0 }))
      const sending = yield* Effect.fork(Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], send, { concurrency: "unbounded" }))
      yield* Effect.sleep(10)
      fake.fate = () => "stored"
      const outcomes = yield* Fiber.join(sending)
      // One has memory, three wait for it.
      expect(outcomes.map(Either.isRight)).toEqual([true, true, true, true, false, false, false, false])
      expect(outcomes[7]).toMatchObject({ left: { _tag: "BufferFull", waitingBytesMax: 3100, waitedMs: 0 } })
      expect(fake.texts("orders", 0).map((text) => text[0])).toEqual(["f", "0", "1", "2", "3"])
      // What waited is no longer counted.
      expect((yield* send(9))._tag).toBe("Right")
    })
  ))

test("flush and the end of the producer wait for the messages that wait for buffer memory", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const done: Array<number> = []
      const send = (producer: Producer["Type"], nth: number) =>
        Effect.fork(Effect.tap(producer.sendMessage("orders", `${nth} ${"x".repeat(900)}`), () => Effect.sync(() => done.push(nth))))
      const producer = yield* Producer.make({ leader, bufferBytesMax: 1000, lingerMs: 60_000 })
      for (const nth of [0, 1, 2, 3]) yield* send(producer, nth)
      yield* Effect.yieldNow()
      yield* producer.flush
      yield* Effect.yieldNow()
      expect(done).toEqual([0, 1, 2, 3])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const closing = yield* Producer.make({ leader, bufferBytesMax: 1000 })
          for (const nth of [4, 5, 6]) yield* send(closing, nth)
          yield* Effect.yieldNow()
        })
      )
      expect(fake.texts("orders", 0).map((text) => Number(text.split(" ")[0]))).toEqual([0, 1, 2, 3, 4, 5, 6])
    })
  ))
