import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { OffsetForLeaderEpoch } from "../../protocol/message/23-offset-for-leader-epoch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { nested, Sliced } from "../../wire/sliced.ts"
import type { FindReadable, ReadablePartition } from "../readable.ts"

type Request = RequestOf<typeof OffsetForLeaderEpoch>
type Response = ResponseDraft<typeof OffsetForLeaderEpoch>
type PartitionRequest = Request["topics"][number]["partitions"][number]
type PartitionResponse = Response["topics"][number]["partitions"][number]

/** In a log that loses no record, no epoch ends before the log's end. */
const endOf = (partition: ReadablePartition, epoch: number) =>
  partition.epochEnd === undefined ? { epoch: Math.min(epoch, partition.leaderEpoch()), endOffset: partition.end() } : partition.epochEnd(epoch)

const answer = (find: FindReadable, topic: string, { currentLeaderEpoch, leaderEpoch, partition }: PartitionRequest): PartitionResponse => {
  const failure = (error: KafkaError): PartitionResponse => ({ errorCode: errorCode(error), partition })
  const readable = find({ name: topic }, partition)
  if (typeof readable === "string") return failure(readable)
  const current = readable.leaderEpoch()
  if (currentLeaderEpoch !== -1 && currentLeaderEpoch !== current) return failure(currentLeaderEpoch < current ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH")
  const found = endOf(readable, leaderEpoch)
  return found === undefined ? { errorCode: 0, partition } : { errorCode: 0, partition, leaderEpoch: found.epoch, endOffset: BigInt(found.endOffset) }
}

/**
 * OffsetForLeaderEpoch: the end offset of a leader epoch in a partition's log, so that a consumer detects truncation (KIP-320).
 * Epoch -1 and offset -1 for an epoch that the log has not seen. Errors of a partition: those of Fetch.
 */
export const offsetForLeaderEpoch =
  (find: FindReadable) =>
  ({ topics }: Request): Sliced<Response> =>
    new Sliced(function* () {
      const responses = yield* nested(
        topics,
        ({ partitions }) => partitions,
        ({ topic }, request) => answer(find, topic, request),
        ({ topic }, partitions) => ({ topic, partitions })
      )
      return { topics: responses }
    })
