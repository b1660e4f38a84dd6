import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { OffsetForLeaderEpoch } from "../../protocol/message/23-offset-for-leader-epoch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { nested, Sliced } from "../../wire/sliced.ts"
import type { PartitionTable } from "../partition/table.ts"

type Wanted = RequestOf<typeof OffsetForLeaderEpoch>["topics"][number]["partitions"][number]
type Answer = ResponseDraft<typeof OffsetForLeaderEpoch>["topics"][number]["partitions"][number]

const answer = (table: PartitionTable, topic: string, { currentLeaderEpoch, leaderEpoch, partition }: Wanted): Answer => {
  const failure = (error: KafkaError): Answer => ({ errorCode: errorCode(error), partition })
  const owner = table.find({ name: topic }, partition)
  if (typeof owner === "string") return failure(owner)
  const current = owner.leaderEpoch()
  if (currentLeaderEpoch !== -1 && currentLeaderEpoch !== current) return failure(currentLeaderEpoch < current ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH")
  const found = owner.epochStarts.endOf(leaderEpoch, owner.end())
  return found === undefined ? { errorCode: 0, partition } : { errorCode: 0, partition, leaderEpoch: found.epoch, endOffset: BigInt(found.endOffset) }
}

/**
 * OffsetForLeaderEpoch: where a leader epoch ended in a partition's log, so that a consumer notices records that were lost (KIP-320).
 * Epoch -1 and offset -1 for an epoch that the log has not seen. Errors of a partition: those of Fetch.
 */
export const offsetForLeaderEpoch = (table: PartitionTable): Route =>
  route(
    OffsetForLeaderEpoch,
    {},
    ({ topics }) =>
      new Sliced(function* () {
        const answers = yield* nested(
          topics,
          ({ partitions }) => partitions,
          ({ topic }, wanted) => answer(table, topic, wanted),
          ({ topic }, partitions) => ({ topic, partitions })
        )
        return { throttleTimeMs: 0, topics: answers }
      })
  )
