import { Either, HashMap } from "effect"
import { parseTopicName } from "../../../domain/cluster/topic/name.ts"
import { errorCode, errorText, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { ProducerId } from "../../../domain/kernel/id.ts"
import type { ProducerEntry, ProducerState } from "../../../domain/log/producer-state.ts"
import { DescribeProducers } from "../../protocol/message/61-describe-producers.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, Sliced, type Steps } from "../../wire/sliced.ts"

type TopicRequest = RequestOf<typeof DescribeProducers>["topics"][number]
type Described = ResponseDraft<typeof DescribeProducers>["topics"][number]["partitions"][number]

/** Returns the idempotent producers of a partition on this node, or the error why it cannot. */
export type FindProducers = (topic: string, partition: number) => ProducerState["entries"] | KafkaError

/** Producers in one response at most; a partition keeps 10,000. */
const producersPerAnswerMax = 100_000
const partitionsPerStep = 64
/** Without transactions there is no coordinator's epoch and no start of an open transaction. */
const none = { coordinatorEpoch: -1, currentTxnStartOffset: -1n }

const failure = (partitionIndex: number, error: KafkaError, message = errorText(error)): Described => ({
  partitionIndex,
  errorCode: errorCode(error),
  errorMessage: message,
  activeProducers: []
})

const active = ([producerId, { batches, epoch }]: readonly [ProducerId, ProducerEntry]): Described["activeProducers"][number] => {
  const last = batches.at(-1)
  return { producerId, producerEpoch: epoch, lastSequence: last?.lastSequence ?? -1, lastTimestamp: BigInt(last?.timestamp ?? -1), ...none }
}

/** Each partition once, under the topic's first mention. */
const folded = (topics: ReadonlyArray<TopicRequest>): ReadonlyMap<string, ReadonlySet<number>> => {
  const byName = new Map<string, Set<number>>()
  for (const { name, partitionIndexes } of topics) {
    const known = byName.get(name)
    if (known === undefined) byName.set(name, new Set(partitionIndexes))
    else for (const index of partitionIndexes) known.add(index)
  }
  return byName
}

/**
 * DescribeProducers 0 (KIP-664): the idempotent producers of partitions that this node leads. The response has a duplicate partition once. Errors of a partition:
 * those of Fetch, INVALID_TOPIC_EXCEPTION, and POLICY_VIOLATION if the response has 100,000 producers already.
 */
export const describeProducers = (find: FindProducers): Route =>
  route(
    DescribeProducers,
    {},
    ({ topics }) =>
      new Sliced(function* () {
        let room = producersPerAnswerMax
        function* describe(topic: string, partition: number): Steps<Described> {
          if (Either.isLeft(parseTopicName(topic))) return failure(partition, "INVALID_TOPIC_EXCEPTION")
          const found = find(topic, partition)
          if (typeof found === "string") return failure(partition, found)
          const count = HashMap.size(found)
          if (count > room)
            return failure(partition, "POLICY_VIOLATION", `One answer has ${producersPerAnswerMax} producers at most. Ask for fewer partitions.`)
          room -= count
          return { partitionIndex: partition, errorCode: 0, activeProducers: yield* mapped(found, active) }
        }
        const described: Array<{ readonly name: string; readonly partitions: ReadonlyArray<Described> }> = []
        for (const [name, indexes] of folded(topics)) {
          const partitions: Array<Described> = []
          for (const index of indexes) {
            partitions.push(yield* describe(name, index))
            if (partitions.length % partitionsPerStep === 0) yield
          }
          described.push({ name, partitions })
        }
        return { topics: described }
      })
  )
