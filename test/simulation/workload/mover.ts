import { Effect, type Scope } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { ElectLeaders } from "../../../src/protocol/message/43-elect-leaders.ts"
import { AlterPartitionReassignments } from "../../../src/protocol/message/45-alter-partition-reassignments.ts"
import type { Link } from "../../../src/wire/link.ts"
import type { Chance } from "../chance.ts"
import type { TopicPartition } from "../history.ts"
import type { Recorder } from "../recorder.ts"
import { linkTo } from "./link.ts"

interface MoverWork {
  readonly process: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly nodes: ReadonlyArray<Address>
  readonly brokers: number
  /** Partitions that may be moved. They have two replicas or more, and keep at least two. */
  readonly places: ReadonlyArray<TopicPartition>
  readonly everyMs: number
  readonly goesOn: () => boolean
}
const timeoutMs = 4000
const preferred = 0

const target = ({ brokers, chance }: MoverWork): ReadonlyArray<number> => {
  const ids = Array.from({ length: brokers }, (_, n) => n + 1)
  return Array.from({ length: chance.between(2, 3) }, () => ids.splice(chance.below(ids.length), 1)[0] as number)
}

/** Moves a partition to other replicas, or cancels its move. */
const reassign = (work: MoverWork, link: Link, { partition: partitionIndex, topic: name }: TopicPartition): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const { chance, process, recorder } = work
    const replicas = chance.isTrue(0.2) ? null : [...target(work)]
    return Effect.map(
      link.call(AlterPartitionReassignments, { timeoutMs, topics: [{ name, partitions: [{ partitionIndex, replicas }] }] }),
      ({ responses }) => {
        const error = kafkaError(responses[0]?.partitions[0]?.errorCode ?? -1)
        recorder.say(`${process} ${replicas === null ? "cancels the move" : `moves to ${replicas}`} of ${name}-${partitionIndex}: ${error}`)
      }
    )
  })

const elect = ({ process, recorder }: MoverWork, link: Link, { partition, topic }: TopicPartition): Effect.Effect<void, unknown> =>
  Effect.map(
    link.call(ElectLeaders, { electionType: preferred, topicPartitions: [{ topic, partitions: [partition] }], timeoutMs }),
    ({ errorCode, replicaElectionResults: [first] }) =>
      recorder.say(`${process} asks for the preferred leader of ${topic}-${partition}: ${kafkaError(first?.partitionResult[0]?.errorCode ?? errorCode)}`)
  )

/** Moves partitions between brokers, cancels moves, and asks for preferred leaders, now and then, by whichever node it asks. */
export const moving = (work: MoverWork): Effect.Effect<void, never, Transport> => {
  const { chance, everyMs, goesOn, nodes, places, process } = work
  const visit: Effect.Effect<void, unknown, Transport | Scope.Scope> = Effect.gen(function* () {
    const link = yield* linkTo(chance.pick(nodes), process)
    for (let n = 0; n < 10 && goesOn(); n++) {
      yield* Effect.sleep(chance.between(1, everyMs * 2))
      yield* chance.isTrue(0.75) ? reassign(work, link, chance.pick(places)) : elect(work, link, chance.pick(places))
    }
  })
  const again: Effect.Effect<void, never, Transport> = Effect.suspend(() =>
    goesOn() ? Effect.catchAll(Effect.scoped(visit), () => Effect.sleep(100)).pipe(Effect.zipRight(again)) : Effect.void
  )
  return again
}
