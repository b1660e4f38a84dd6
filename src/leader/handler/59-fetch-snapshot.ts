import { Effect } from "effect"
import { groupMetadataTopic, groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { FetchSnapshot } from "../../protocol/message/59-fetch-snapshot.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { LeaderContext } from "../context.ts"
import type { GroupStates } from "../groups/group-states.ts"

type PartitionRequest = RequestOf<typeof FetchSnapshot>["topics"][number]["partitions"][number]
type PartitionResponse = ResponseDraft<typeof FetchSnapshot>["topics"][number]["partitions"][number]

/** Bytes of a state in one response at most. */
const pieceBytesMax = 1_048_576

const failure = ({ partition, snapshotId }: PartitionRequest, error: KafkaError): PartitionResponse => ({
  index: partition,
  errorCode: errorCode(error),
  snapshotId,
  size: 0n,
  position: 0n,
  unalignedRecords: new Uint8Array(0)
})

/**
 * FetchSnapshot 0-1, for the brokers: the states of `__group_metadata` at its handover, piece by piece, as JSON. The
 * response names the end offset of the state that it has; the one that is asked for does not count, since there is one.
 * Errors of a partition: UNKNOWN_TOPIC_OR_PARTITION, also before the handover; POSITION_OUT_OF_RANGE;
 * KAFKA_STORAGE_ERROR where the journal cannot be read.
 */
export const fetchSnapshot = (leader: LeaderContext["Type"], states: GroupStates["Type"]): Route => {
  const pieceOf = (asked: PartitionRequest, maxBytes: number): Effect.Effect<PartitionResponse> => {
    const topic = groupPartitions(leader.writer.state())
    if (topic?.partitions.at(asked.partition) === undefined) return Effect.succeed(failure(asked, "UNKNOWN_TOPIC_OR_PARTITION"))
    return states.of(asked.partition).pipe(
      Effect.map(({ index, value }): PartitionResponse => {
        const position = Number(asked.position)
        if (position < 0 || position > value.length) return failure(asked, "POSITION_OUT_OF_RANGE")
        return {
          index: asked.partition,
          errorCode: 0,
          snapshotId: { endOffset: BigInt(index), epoch: 0 },
          size: BigInt(value.length),
          position: asked.position,
          unalignedRecords: value.subarray(position, position + Math.max(1, Math.min(maxBytes, pieceBytesMax)))
        }
      }),
      Effect.catchAll(({ message }) =>
        Effect.as(Effect.logError(`${groupMetadataTopic}-${asked.partition} cannot be handed over: ${message}`), failure(asked, "KAFKA_STORAGE_ERROR"))
      )
    )
  }
  return route(FetchSnapshot, {}, ({ maxBytes, topics }, context) => {
    if (leader.brokers.links.brokerOf(context, leader.writer.state()) === undefined) return { errorCode: errorCode("CLUSTER_AUTHORIZATION_FAILED"), topics: [] }
    return Effect.map(
      Effect.forEach(topics, ({ name, partitions }) =>
        Effect.map(
          Effect.forEach(partitions, (asked) =>
            name === groupMetadataTopic ? pieceOf(asked, maxBytes) : Effect.succeed(failure(asked, "UNKNOWN_TOPIC_OR_PARTITION"))
          ),
          (pieces) => ({ name, partitions: pieces })
        )
      ),
      (answered) => ({ errorCode: 0, topics: answered })
    )
  })
}
