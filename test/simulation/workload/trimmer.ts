import { Effect, type Scope } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { DeleteRecords } from "../../../src/protocol/message/21-delete-records.ts"
import type { Link } from "../../../src/wire/link.ts"
import type { Chance } from "../chance.ts"
import type { Outcome, TopicPartition } from "../history.ts"
import type { Recorder } from "../recorder.ts"
import { extentOf } from "./auditor.ts"
import { linkTo } from "./link.ts"

interface TrimmerWork {
  readonly process: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly brokers: ReadonlyArray<Address>
  readonly places: ReadonlyArray<TopicPartition>
  readonly everyMs: number
  readonly goesOn: () => boolean
}

/** Answers after which nothing was deleted. NOT_LEADER_OR_FOLLOWER is none: the leadership may have ended in the wait for the followers. */
const refusals: ReadonlyArray<KafkaError> = ["UNKNOWN_TOPIC_OR_PARTITION", "OFFSET_OUT_OF_RANGE"]
/** The offset that means all records. */
const everything = -1

const trim = ({ chance, process, recorder }: TrimmerWork, link: Link, place: TopicPartition): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const extent = yield* extentOf(link, place)
    if (extent === undefined) return
    const offset = chance.isTrue(0.1) ? everything : chance.between(extent.start, chance.isTrue(0.8) ? (extent.start + extent.end) >> 1 : extent.end)
    const complete = recorder.invoke(recorder.trims, process, { ...place, offset })
    const partitions = [{ partitionIndex: place.partition, offset: BigInt(offset) }]
    const answer = yield* link.call(DeleteRecords, { topics: [{ name: place.topic, partitions }], timeoutMs: 4000 })
    const found = answer.topics[0]?.partitions[0]
    const error = kafkaError(found?.errorCode ?? -1)
    const outcome: Outcome<number> =
      found !== undefined && error === "NONE"
        ? { _tag: "ok", value: Number(found.lowWatermark) }
        : { _tag: refusals.includes(error) ? "fail" : "unknown", error }
    recorder.say(`${process} deletes ${place.topic}-${place.partition} before ${offset}: ${outcome._tag === "ok" ? outcome.value : outcome.error}`)
    complete(outcome)
  })

/** Deletes the beginnings of logs, now and then, by whichever broker it happens to ask. */
export const trimming = (work: TrimmerWork): Effect.Effect<void, never, Transport> => {
  const { brokers, chance, everyMs, goesOn, places, process } = work
  const visit: Effect.Effect<void, unknown, Transport | Scope.Scope> = Effect.gen(function* () {
    const link = yield* linkTo(chance.pick(brokers), process)
    for (let n = 0; n < 10 && goesOn(); n++) {
      yield* Effect.sleep(chance.between(1, everyMs * 2))
      yield* trim(work, link, chance.pick(places))
    }
  })
  const again: Effect.Effect<void, never, Transport> = Effect.suspend(() =>
    goesOn() ? Effect.catchAll(Effect.scoped(visit), () => Effect.sleep(100)).pipe(Effect.zipRight(again)) : Effect.void
  )
  return again
}
