import { Effect, type Scope } from "effect"
import { Consumer } from "../../../src/client/consumer/consumer.ts"
import type { Chance } from "../chance.ts"
import type { Position } from "../history.ts"
import type { Recorder } from "../recorder.ts"
import type { Platform } from "../world/host.ts"

interface ConsumerWork {
  readonly process: string
  readonly group: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly bootstrap: string
  readonly topics: ReadonlyArray<string>
  readonly sessionTimeoutMs: number
  /** Whether members still come and go; when they do not, this one stays. */
  readonly mayLeave: () => boolean
}

/** A consumer of the library that polls, commits, and now and then leaves its group and rejoins. */
export const consuming = (work: ConsumerWork): Effect.Effect<never, unknown, Platform | Scope.Scope> =>
  Effect.gen(function* () {
    const { bootstrap, chance, group, process, recorder, sessionTimeoutMs, topics } = work
    const since = recorder.next()
    const byHand = chance.isTrue(0.5)
    const consumer = yield* Consumer.make({
      leader: bootstrap,
      clientId: process,
      from: "earliest",
      requestTimeoutMs: 3000,
      connectTimeoutMs: 2000,
      retryTimeoutMs: 10_000,
      fetchWaitMs: chance.pick([50, 500]),
      commitIntervalMs: byHand ? "never" : 1000,
      partitionBytesMax: chance.pick([500, 1_000_000]),
      closeTimeoutMs: 3000
    })
    const assignor = chance.pick(["range", "roundrobin", "sticky"] as const)
    const enter = Effect.gen(function* () {
      yield* consumer.joinConsumerGroup(group, {
        assignors: [assignor, ...(["range", "roundrobin", "sticky"] as const).filter((name) => name !== assignor)],
        sessionTimeoutMs,
        rebalanceTimeoutMs: sessionTimeoutMs * 2
      })
      yield* consumer.subscribe(...topics)
    })
    yield* enter
    return yield* Effect.forever(
      Effect.gen(function* () {
        const records = yield* consumer.poll({ maxRecords: chance.between(1, 20), timeoutMs: 200 })
        for (const { offset, partition, text, topic } of records) note(work, since, { topic, partition, offset, value: text })
        if (records.length > 0) recorder.say(`${process} polls ${records.map(({ offset, partition, topic }) => `${topic}-${partition}@${offset}`).join(" ")}`)
        yield* Effect.sleep(chance.between(0, 50))
        if (byHand && chance.isTrue(0.3)) yield* Effect.ignore(consumer.commit)
        if (!work.mayLeave() || !chance.isTrue(0.005)) return
        recorder.say(`${process} leaves ${group}`)
        yield* consumer.leaveConsumerGroup
        yield* Effect.sleep(chance.between(0, 2000))
        yield* enter
      })
    )
  })

/** The library does not say in which generation it hands a record out. */
const unknownGeneration = -1

const note = (
  { group, process, recorder }: ConsumerWork,
  since: Position,
  record: { readonly topic: string; readonly partition: number; readonly offset: number; readonly value: string }
): void => {
  recorder.polls.push({ ...record, at: recorder.next(), since, process, group, generation: unknownGeneration, memberId: process })
}
