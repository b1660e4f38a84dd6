import { Effect } from "effect"
import { groupMetadataTopic, groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic } from "../../../domain/cluster/topic/name.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { FetchSnapshot } from "../../protocol/message/59-fetch-snapshot.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { LeaderContext } from "../context.ts"
import type { GroupStates } from "../groups/group-states.ts"
import type { ClusterSnapshots } from "../journal/cluster-snapshots.ts"

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

const refused = (error: KafkaError): ResponseDraft<typeof FetchSnapshot> => ({ errorCode: errorCode(error), topics: [] })

/** The piece of a document at the position that is asked for. */
const pieceOf = (
  asked: PartitionRequest,
  maxBytes: number,
  { document, endOffset, epoch }: { readonly document: Uint8Array; readonly endOffset: number; readonly epoch: number }
): PartitionResponse => {
  const position = Number(asked.position)
  if (position < 0 || position > document.length) return failure(asked, "POSITION_OUT_OF_RANGE")
  return {
    index: asked.partition,
    errorCode: 0,
    snapshotId: { endOffset: BigInt(endOffset), epoch },
    size: BigInt(document.length),
    position: asked.position,
    unalignedRecords: document.subarray(position, position + Math.max(1, Math.min(maxBytes, pieceBytesMax)))
  }
}

/**
 * FetchSnapshot 0-1: a piece of one snapshot. INVALID_REQUEST where a request names more partitions or none, as in Kafka: its
 * response would have no bound.
 *
 * Of `__cluster_metadata`: the newest snapshot of the cluster, as record batches (KIP-630), for clients and brokers.
 * SNAPSHOT_NOT_FOUND where another is the newest: Fetch names it.
 *
 * Of `__group_metadata`, for the brokers alone: the states at its handover, as JSON. The response names the end offset of
 * the state that it has; the one that is asked for does not count, since there is one.
 *
 * Errors of a partition: UNKNOWN_TOPIC_OR_PARTITION, also before the handover; POSITION_OUT_OF_RANGE;
 * KAFKA_STORAGE_ERROR where the journal cannot be read.
 */
export const fetchSnapshot = (leader: LeaderContext["Type"], snapshots: ClusterSnapshots, states: GroupStates["Type"]): Route => {
  const unreadable = (asked: PartitionRequest, what: string, message: string) =>
    Effect.as(Effect.logError(`${what} cannot be read for a broker: ${message}`), failure(asked, "KAFKA_STORAGE_ERROR"))
  const ofGroups = (asked: PartitionRequest, maxBytes: number): Effect.Effect<PartitionResponse> => {
    const topic = groupPartitions(leader.writer.state())
    if (topic?.partitions.at(asked.partition) === undefined) return Effect.succeed(failure(asked, "UNKNOWN_TOPIC_OR_PARTITION"))
    return states.of(asked.partition).pipe(
      Effect.map(({ index, value }) => pieceOf(asked, maxBytes, { document: value, endOffset: index, epoch: 0 })),
      Effect.catchAll(({ message }) => unreadable(asked, `The state of ${groupMetadataTopic}-${asked.partition}`, message))
    )
  }
  const ofCluster = (asked: PartitionRequest, maxBytes: number): Effect.Effect<PartitionResponse> => {
    if (asked.partition !== 0) return Effect.succeed(failure(asked, "UNKNOWN_TOPIC_OR_PARTITION"))
    const { endOffset, epoch } = asked.snapshotId
    return snapshots.of(Number(endOffset)).pipe(
      Effect.map((found) => (found === undefined ? failure(asked, "SNAPSHOT_NOT_FOUND") : pieceOf(asked, maxBytes, { ...found, epoch }))),
      Effect.catchAll(({ message }) => unreadable(asked, `The snapshot of ${metadataTopic}`, message))
    )
  }
  const answer = (name: string, asked: PartitionRequest, maxBytes: number): Effect.Effect<PartitionResponse> => {
    if (name === metadataTopic) return ofCluster(asked, maxBytes)
    return name === groupMetadataTopic ? ofGroups(asked, maxBytes) : Effect.succeed(failure(asked, "UNKNOWN_TOPIC_OR_PARTITION"))
  }
  return route(FetchSnapshot, {}, ({ maxBytes, topics }, context) => {
    const name = topics[0]?.name
    const asked = topics[0]?.partitions[0]
    if (name === undefined || asked === undefined || topics.length > 1 || topics[0]?.partitions.length !== 1) return refused("INVALID_REQUEST")
    if (name !== metadataTopic && leader.brokers.links.brokerOf(context, leader.writer.state()) === undefined) return refused("CLUSTER_AUTHORIZATION_FAILED")
    return Effect.map(answer(name, asked, maxBytes), (piece) => ({ errorCode: 0, topics: [{ name, partitions: [piece] }] }))
  })
}
