import { Effect, Scope } from "effect"
import { Producer, type ProducerService } from "../../../src/client/producer/producer.ts"
import type { Chance } from "../chance.ts"
import type { Recorder } from "../recorder.ts"
import type { Platform } from "../world/host.ts"
import { outcomeOf } from "./shared.ts"

interface ProducerWork {
  readonly process: string
  readonly recorder: Recorder
  readonly chance: Chance
  /** Where the cluster is found. */
  readonly bootstrap: string
  readonly acks: "all" | 1
  readonly sendEveryMs: number
  readonly deliveryTimeoutMs: number
  /** Topics with their partition counts. */
  readonly topics: ReadonlyArray<readonly [topic: string, partitions: number]>
  /** How many keys the records of a compacted topic have; undefined for other topics. */
  readonly keysOf: (topic: string) => number | undefined
  /** The next number of the run: every value is sent once. */
  readonly number: () => number
  /** Whether to continue. */
  readonly goesOn: () => boolean
  /** A mutant: a message of unknown outcome is sent again as a new message. */
  readonly blindRetry: boolean
}

/** Messages of one producer that wait for their answer. */
const outstandingMax = 50

/** A producer of the library that sends now and then, a few messages at a time, and notes what it was told. */
export const producing = (work: ProducerWork): Effect.Effect<void, unknown, Platform | Scope.Scope> =>
  Effect.gen(function* () {
    const { bootstrap, chance, deliveryTimeoutMs, process, sendEveryMs } = work
    const producer = yield* Producer.make({
      leader: bootstrap,
      clientId: process,
      acks: work.acks,
      deliveryTimeoutMs,
      requestTimeoutMs: 3000,
      connectTimeoutMs: 2000,
      retryTimeoutMs: deliveryTimeoutMs,
      lingerMs: chance.pick([0, 0, 5, 50]),
      inFlightRequestsMax: chance.between(1, 5)
    })
    const scope = yield* Effect.scope
    let outstanding = 0
    while (work.goesOn()) {
      yield* Effect.sleep(chance.between(1, sendEveryMs * 2))
      const count = outstanding < outstandingMax ? chance.between(1, 4) : 0
      for (let n = 0; n < count; n++) {
        outstanding++
        yield* Effect.forkIn(
          Effect.ensuring(
            sendOne(work, producer),
            Effect.sync(() => outstanding--)
          ),
          scope
        )
      }
    }
    yield* producer.flush
    while (outstanding > 0) yield* Effect.sleep(50)
  })

const sendOne = (work: ProducerWork, producer: ProducerService): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { acks, chance, process, recorder } = work
    const [topic, partitions] = chance.pick(work.topics)
    const asked = chance.isTrue(0.7) ? chance.below(partitions) : undefined
    const value = `${process}/${work.number()}${"-".repeat(chance.below(60))}`
    const keys = work.keysOf(topic)
    const key = keys === undefined && asked !== undefined ? undefined : `k${chance.below(keys ?? 8)}`
    const options = { ...(key === undefined ? {} : { key }), ...(asked === undefined ? {} : { partition: asked }) }
    const complete = recorder.invoke(recorder.sends, process, {
      topic,
      partition: asked,
      value,
      acks,
      idempotent: acks === "all",
      ...(key === undefined ? {} : { key })
    })
    const attempt = producer.sendMessage(topic, value, options)
    return Effect.exit(work.blindRetry ? Effect.retry(attempt, { while: ({ _tag }) => _tag === "OutcomeUnknown" }) : attempt).pipe(
      Effect.map((exit) => {
        const outcome = outcomeOf(
          exit,
          ({ offset, partition }) => ({ topic, partition, offset }),
          ({ _tag }) => _tag === "OutcomeUnknown"
        )
        recorder.say(
          `${process} ${value.replace(/-+$/, "")} to ${topic}: ${outcome._tag === "ok" ? `${outcome.value.partition}@${outcome.value.offset}` : outcome.error}`
        )
        complete(outcome)
      })
    )
  })
