import { describe, expect, test } from "bun:test"
import { Effect, Either, Fiber } from "effect"
import fc from "fast-check"
import type { Sent } from "../../../../src/client/producer/accumulator/delivery.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import type { Fate } from "../fake-cluster.ts"
import { leader, withFake } from "../support.ts"

const partitions = 3
/** More for a long search: FRANZ_RUNS=1000. */
const numRuns = Number(process.env.FRANZ_RUNS ?? 60)
const fates: ReadonlyArray<Fate> = [
  "lost",
  "dropped",
  "mute",
  "deaf",
  "NOT_LEADER_OR_FOLLOWER",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "REQUEST_TIMED_OUT",
  "KAFKA_STORAGE_ERROR",
  "MESSAGE_TOO_LARGE",
  "INVALID_RECORD",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH"
]

/** One run: how often what goes wrong, when leaders move, and how hurried the producer is. */
const script = fc.record({
  seed: fc.integer(),
  fates: fc.array(fc.option(fc.constantFrom(...fates), { nil: "stored" as const, freq: 2 }), { maxLength: 60 }),
  moves: fc.array(fc.record({ partition: fc.nat(partitions - 1), leader: fc.integer({ min: -1, max: 1 }), afterMs: fc.nat(300) }), { maxLength: 6 }),
  // The second leaves no time for another request: what is on its way is given up when the request is.
  deliveryTimeoutMs: fc.constantFrom(800, 505, 60_000),
  concurrency: fc.constantFrom(1, 7, 80),
  batchBytesMax: fc.constantFrom(150, 600, 100_000),
  lingerMs: fc.constantFrom(0, 5)
})

const messages = Array.from({ length: 120 }, (_, at) => ({ partition: at % partitions, value: `message ${at}` }))

type Outcome = Either.Either<Sent, { readonly _tag: string }>

type Script = typeof script extends fc.Arbitrary<infer A> ? A : never
const play = (run: Script) =>
  withFake(
    (fake) =>
      Effect.gen(function* () {
        fake.add("orders", partitions)
        const left = [...run.fates]
        fake.fate = () => left.shift() ?? "stored"
        const producer = yield* Producer.make({
          leader,
          deliveryTimeoutMs: run.deliveryTimeoutMs,
          batchBytesMax: run.batchBytesMax,
          lingerMs: run.lingerMs,
          requestTimeoutMs: 500
        })
        const mover = yield* Effect.fork(
          Effect.forEach(run.moves, ({ afterMs, leader: to, partition }) => Effect.andThen(Effect.sleep(afterMs), () => fake.move("orders", partition, to)))
        )
        const outcomes = yield* Effect.forEach(messages, ({ partition, value }) => Effect.either(producer.sendMessage("orders", value, { partition })), {
          concurrency: run.concurrency
        })
        yield* Fiber.interrupt(mover)
        // Whatever happened, the producer continues: each partition takes a last message.
        for (let partition = 0; partition < partitions; partition++) {
          if (fake.partition("orders", partition).leader < 0) fake.move("orders", partition, 0)
          left.length = 0
          yield* Effect.retry(producer.sendMessage("orders", "end", { partition }), { times: 20 })
        }
        return { outcomes, logs: Array.from({ length: partitions }, (_, partition) => fake.texts("orders", partition)) }
      }),
    { seed: run.seed }
  )

/** Every message is in the log as often as its outcome allows, and where the outcome says (L4); and the partition keeps the order of sending (L5). */
const check = (outcomes: ReadonlyArray<Outcome>, logs: ReadonlyArray<ReadonlyArray<string>>) => {
  const last = logs.map(() => -1)
  for (const [at, { partition, value }] of messages.entries()) {
    const outcome = outcomes[at] as Outcome
    const log = logs[partition] ?? []
    const times = log.filter((text) => text === value).length
    if (Either.isRight(outcome)) {
      expect(log[outcome.right.offset]).toBe(value)
      expect(times).toBe(1)
      expect(outcome.right.offset).toBeGreaterThan(last[partition] as number)
      last[partition] = outcome.right.offset
    } else if (outcome.left._tag === "OutcomeUnknown") expect(times).toBeLessThanOrEqual(1)
    else expect([outcome.left._tag, times]).toEqual([outcome.left._tag, 0])
  }
  for (const log of logs) expect(log.at(-1)).toBe("end")
}

describe("an idempotent producer under failures", () => {
  test(
    "L4, L5: whatever is lost, refused or moved, each message is stored once and in order, and an answer never lies",
    async () => {
      await fc.assert(
        fc.asyncProperty(script, async (run) => {
          const { logs, outcomes } = await play(run)
          check(outcomes, logs)
        }),
        { numRuns }
      )
    },
    300_000 + numRuns * 2_000
  )
})
