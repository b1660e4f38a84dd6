import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import type { ConsumerService } from "../../../../src/client/consumer/service.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import { leader, type RealCluster, withCluster } from "../real-cluster.ts"

const topic = "orders"
const partitions = [0, 1] as const
const hosts = ["leader", "broker1", "broker2"] as const
/** The offset behind the last record of each partition. Each batch has two records. */
const end = 16

const partition = fc.constantFrom(...partitions)
const host = fc.constantFrom(...hosts)
const calls = [
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("seek" as const), partition, offset: fc.nat(end) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("poll" as const), timeoutMs: fc.constantFrom(0, 1, 5, 50, 700), maxRecords: fc.constantFrom(1, 2, 100) })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const), partition }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("positions" as const, "lag" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(0, 1, 3, 20, 99, 100, 101, 300) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("network" as const),
      delayMs: fc.constantFrom([0, 0] as const, [1, 2] as const, [20, 120] as const, [0, 300] as const),
      segmentBytes: fc.constantFrom([65_536, 65_536] as const, [1, 50] as const)
    })
  }
]
const faults = [
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("drop" as const, "cut" as const, "freeze" as const), host }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("heal" as const) }) }
]
const call = fc.oneof(...calls)
const callOrFault = fc.oneof(...calls, ...faults)
type Step = typeof callOrFault extends fc.Arbitrary<infer A> ? A : never

const settings = fc.record({
  fetchWaitMs: fc.constantFrom(10, 100, 500),
  // One batch, or all of them, in a result and in the buffer.
  partitionBytesMax: fc.constantFrom(100, 100_000),
  bufferBytesMax: fc.constantFrom(100, 400, 1_000_000)
})

const does = (step: Step, consumer: ConsumerService, { network }: RealCluster): Effect.Effect<unknown> => {
  switch (step.kind) {
    case "seek":
      return Effect.ignore(consumer.seek(topic, step.partition, step.offset))
    case "poll":
      return Effect.ignore(consumer.poll(step))
    case "pause":
      return Effect.ignore(consumer.pause({ topic, partition: step.partition }))
    case "resume":
      return Effect.ignore(consumer.resume({ topic, partition: step.partition }))
    case "positions":
      return consumer.positions
    case "lag":
      return Effect.ignore(Effect.timeoutOption(consumer.lag, 400))
    case "wait":
      return Effect.sleep(step.ms)
    case "network":
      return Effect.sync(() => {
        network.conditions = { ...network.conditions, delayMs: step.delayMs, segmentBytes: step.segmentBytes }
      })
    case "heal":
      return Effect.sync(() => network.heal())
    default:
      return Effect.sync(() => network[step.kind]("client", step.host))
  }
}

/** After the steps and the end of all faults: how long a poll behind a last seek takes to return the record at that offset, ms. */
const msToRecord = (steps: ReadonlyArray<Step>, reading: { readonly fetchWaitMs: number }, last: { readonly partition: 0 | 1; readonly offset: number }) =>
  withCluster((cluster) =>
    Effect.gen(function* () {
      const filling = Effect.gen(function* () {
        const producer = yield* Producer.make({ leader })
        yield* producer.addTopic(topic, { partitions: partitions.length })
        for (let at = 0; at < end; at += 2)
          for (const of of partitions)
            yield* producer.sendBatch(
              topic,
              [at, at + 1].map((offset) => ({ value: `${of}@${offset}`, partition: of }))
            )
      })
      yield* Effect.scoped(filling).pipe(Effect.provide(cluster.network.layer("elsewhere")))
      const consumer = yield* Consumer.make({ leader, ...reading })
      yield* consumer.assign(partitions.map((of) => ({ topic, partition: of, at: "earliest" as const })))
      for (const step of steps) yield* does(step, consumer, cluster)
      cluster.network.heal()
      yield* consumer.resume(...partitions.map((of) => ({ topic, partition: of })))
      const clock = yield* Effect.clock
      const from = clock.unsafeCurrentTimeMillis()
      yield* consumer.seek(topic, last.partition, last.offset)
      for (;;) {
        const polled = yield* Effect.either(consumer.poll({ timeoutMs: 1000 }))
        const found = Either.getOrElse(polled, () => []).find((record) => record.partition === last.partition)
        const ms = clock.unsafeCurrentTimeMillis() - from
        if (found !== undefined) expect(found.text).toBe(`${last.partition}@${last.offset}`)
        if (found !== undefined || ms > 60_000) return ms
      }
    })
  )

describe("after a seek", () => {
  const holds = (step: fc.Arbitrary<Step>, withinMs: number) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 30 }),
        settings,
        fc.record({ partition, offset: fc.nat(end - 1) }),
        async (steps, reading, last) => {
          expect(await msToRecord(steps, reading, last)).toBeLessThanOrEqual(withinMs)
        }
      ),
      // The same cases in each run: the bounds are no sums of all timeouts that may follow one another.
      { numRuns: Number(process.env.FRANZ_RUNS ?? 12), seed: 1 }
    )

  test("a poll returns the record at its offset, whatever calls and responses are under way", () => holds(call, 2500), 300_000)
  // A connection that hangs while it is opened is left after connectTimeoutMs, and one that hangs later after the silence of a fetch.
  test("a poll returns the record at its offset, whatever connections broke before", () => holds(callOrFault, 18_000), 300_000)
})
