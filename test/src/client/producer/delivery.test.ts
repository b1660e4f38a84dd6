import { describe, expect, spyOn, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import { Producer } from "../../../../src/client/producer/producer.ts"
import type { Fate } from "../fake-cluster.ts"
import { leader, withFake } from "../support.ts"

const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const from = yield* now
    const result = yield* Effect.either(effect)
    return { result, ms: (yield* now) - from }
  })
const tagOf = <A>(result: Either.Either<A, { readonly _tag: string }>): string => (Either.isLeft(result) ? result.left._tag : "stored")

describe("deliveryTimeoutMs is the whole time of a message", () => {
  for (const fate of ["mute", "deaf"] as const)
    test(`also of one that is on its way (${fate}), and what is sent behind it is neither lost nor out of order`, () =>
      withFake((fake) =>
        Effect.gen(function* () {
          fake.add("orders", 2)
          const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 2000 })
          yield* producer.sendMessage("orders", "before", { partition: 0 })
          const fates: Array<Fate> = [fate]
          fake.fate = () => fates.shift() ?? "stored"
          const sent = yield* took(producer.sendMessage("orders", "on its way", { partition: 0 }))
          expect(tagOf(sent.result)).toBe("OutcomeUnknown")
          expect(sent.ms).toBeGreaterThanOrEqual(2000)
          expect(sent.ms).toBeLessThan(2100)
          for (const value of ["a", "b", "c"]) yield* producer.sendMessage("orders", value, { partition: 0 })
          expect(fake.texts("orders", 0)).toEqual(["before", ...(fate === "mute" ? ["on its way"] : []), "a", "b", "c"])
        })
      ))

  test("also of one whose topic no node knows, and of one that waits for room", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 2000, bufferBytesMax: 100, createTopics: false, unknownTopicTimeoutMs: 60_000 })
        const unknown = yield* took(producer.sendMessage("nowhere", "v"))
        expect(tagOf(unknown.result)).not.toBe("stored")
        expect(unknown.ms).toBeLessThan(2100)
        yield* producer.sendMessage("orders", "before")
        fake.fate = () => "NOT_ENOUGH_REPLICAS"
        const both = yield* Effect.all([took(producer.sendMessage("orders", "x".repeat(60))), took(producer.sendMessage("orders", "y".repeat(60)))], {
          concurrency: 2
        })
        for (const { ms, result } of both) {
          expect(tagOf(result)).not.toBe("stored")
          expect(ms).toBeLessThan(2100)
        }
      })
    ))

  test("also of one that waited for its topic before; the errors say deliveryTimeoutMs, and not what was left of it", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("warm", 1)
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 2000, createTopics: false })
        yield* producer.sendMessage("warm", "v")
        const sent = yield* Effect.fork(took(producer.sendMessage("late", "first")))
        yield* Effect.sleep(1500)
        fake.fate = () => "deaf"
        fake.add("late", 1)
        yield* Effect.sleep(400)
        const behind = yield* Effect.fork(took(producer.sendMessage("late", "second")))
        const first = yield* Fiber.join(sent)
        expect(first.ms).toBeLessThan(2100)
        expect(first.result).toMatchObject({ left: { _tag: "OutcomeUnknown", reason: "the broker did not respond within deliveryTimeoutMs=2000." } })
        const second = yield* Fiber.join(behind)
        expect(second.ms).toBeLessThan(2100)
        expect(tagOf(second.result)).not.toBe("stored")
        expect(Either.isLeft(second.result) && second.result.left.message).toContain("2000")
      })
    ))

  test("thousands of messages that wait end each at its own deadline, by a few timers", () =>
    withFake((_, clock) =>
      Effect.gen(function* () {
        const bursts = 20
        const perBurst = 250
        // The cluster does not describe the topic yet.
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 10_000, unknownTopicTimeoutMs: 60_000 })
        const sleeps = spyOn(clock, "sleep")
        let longestMs = 0
        const waiting: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
        for (let burst = 0; burst < bursts; burst++) {
          for (let nth = 0; nth < perBurst; nth++) {
            const measured = Effect.map(took(producer.sendMessage("nowhere", "v")), ({ ms, result }) => {
              longestMs = Math.max(longestMs, ms)
              return tagOf(result)
            })
            waiting.push(yield* Effect.fork(measured))
          }
          yield* Effect.sleep(100)
        }
        const tags = new Set(yield* Effect.forEach(waiting, Fiber.join))
        expect([...tags]).toEqual(["RequestTimedOut"])
        expect(longestMs).toBe(10_000)
        // A timer for each of them, with its fibers, kept a process busy for seconds when all of them ended.
        expect(sleeps.mock.calls.length).toBeLessThan(500)
      })
    ))

  test("flush and the end of the scope wait no longer than that, whatever the cluster does", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        fake.fate = () => "mute"
        const closing = yield* took(
          Effect.scoped(
            Effect.gen(function* () {
              const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 60_000, closeTimeoutMs: 700 })
              yield* Effect.fork(producer.sendMessage("orders", "v"))
              yield* Effect.sleep(100)
            })
          )
        )
        expect(closing.ms).toBeLessThan(1000)
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 3000 })
        yield* Effect.fork(Effect.ignore(producer.sendMessage("orders", "v")))
        yield* Effect.sleep(10)
        expect((yield* took(producer.flush)).ms).toBeLessThan(3100)
      })
    ))
})

describe("a topic that is made again", () => {
  test("is sent to under the next epoch: what was stored in the old one is not sent again, what comes is stored in order", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 3)
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 20_000, unknownTopicTimeoutMs: 300 })
        for (let at = 0; at < 5; at++) yield* producer.sendMessage("orders", `old ${at}`, { partition: 0 })
        fake.topics.delete("orders")
        fake.generation += 1
        fake.add("orders", 2)
        const sent = yield* Effect.forEach(["a", "b", "c", "d"], (value) => producer.sendMessage("orders", value, { partition: 0 }), { concurrency: 4 })
        expect(sent.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
        expect(fake.texts("orders", 0)).toEqual(["a", "b", "c", "d"])
        // Its third partition is no more.
        const gone = yield* took(producer.sendMessage("orders", "nowhere", { partition: 2 }))
        expect(Either.isLeft(gone.result) && gone.result.left).toMatchObject({ _tag: "UnknownPartition", partition: 2, partitions: 2 })
        expect(gone.ms).toBeLessThan(2000)
      })
    ))

  test("with fewer partitions ends what waits for one that is no more", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 3)
        const producer = yield* Producer.make({ leader, deliveryTimeoutMs: 20_000, unknownTopicTimeoutMs: 300 })
        yield* producer.sendMessage("orders", "old", { partition: 2 })
        fake.topics.delete("orders")
        fake.generation += 1
        fake.add("orders", 1)
        const gone = yield* took(producer.sendMessage("orders", "late", { partition: 2 }))
        expect(Either.isLeft(gone.result) && gone.result.left).toMatchObject({ _tag: "UnknownPartition", partition: 2, partitions: 1 })
        expect(gone.ms).toBeLessThan(5000)
      })
    ))
})
