import { Effect, Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { DeleteRecords } from "../../protocol/message/21-delete-records.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { PartitionOwner } from "../partition/owner.ts"
import type { PartitionTable } from "../partition/table.ts"
import type { Trimming } from "../partition/trimming.ts"

type Request = RequestOf<typeof DeleteRecords>
type Response = ResponseDraft<typeof DeleteRecords>
type Asked = Request["topics"][number]["partitions"][number]

export interface DeleteRecordsOptions {
  readonly table: PartitionTable
  readonly raise: Trimming["raise"]
}

/** Everything that a consumer sees. */
const all = -1n

/** A client that gives no time means that no other replica is waited for: the disk is. */
const waitMsMin = 1000

/** What becomes of one partition: its start is raised, or an error says why not. */
interface Plan {
  readonly partitionIndex: number
  readonly owner?: PartitionOwner
  readonly offset?: number
  error?: KafkaError
}

const planOf = (table: PartitionTable, topic: string, { offset, partitionIndex }: Asked): Plan => {
  const owner = table.find({ name: topic }, partitionIndex)
  if (typeof owner === "string") return { partitionIndex, error: owner === "UNKNOWN_TOPIC_ID" ? "UNKNOWN_TOPIC_OR_PARTITION" : owner }
  if (!owner.mayDelete) return { partitionIndex, error: "POLICY_VIOLATION" }
  const highWatermark = owner.highWatermark()
  const wanted = offset === all ? highWatermark : Number(offset)
  return wanted < 0 || wanted > highWatermark ? { partitionIndex, error: "OFFSET_OUT_OF_RANGE" } : { partitionIndex, owner, offset: wanted }
}

const answer = (plans: ReadonlyArray<{ readonly name: string; readonly partitions: ReadonlyArray<Plan> }>): Response => ({
  throttleTimeMs: 0,
  topics: plans.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ error, owner, partitionIndex }) => ({
      partitionIndex,
      errorCode: errorCode(error ?? "NONE"),
      lowWatermark: error !== undefined || owner === undefined ? -1n : BigInt(owner.start())
    }))
  }))
})

/**
 * DeleteRecords 0-2 (KIP-107): partitions start at the given offset from now on, -1 standing for the high watermark. Answered when that survives a power cut; an
 * offset before the start changes nothing and is answered with the start. Errors of a partition: OFFSET_OUT_OF_RANGE over the high watermark or below -1, POLICY_VIOLATION where cleanup.policy lacks delete,
 * UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR; REQUEST_TIMED_OUT when it took longer than `timeoutMs`, and it is done all the same.
 */
export const deleteRecords = ({ raise, table }: DeleteRecordsOptions): Route =>
  route(DeleteRecords, {}, ({ timeoutMs, topics }) => {
    const plans = topics.map(({ name, partitions }) => ({ name, partitions: partitions.map((asked) => planOf(table, name, asked)) }))
    const raised = plans.flatMap(({ partitions }) => partitions.filter(({ owner }) => owner !== undefined))
    const done = raise(raised.map(({ offset, owner }) => ({ owner: owner as PartitionOwner, offset: offset as number }))).pipe(
      Effect.map((results) => {
        for (const [index, result] of results.entries())
          if (Either.isLeft(result)) {
            const plan = raised[index] as Plan
            plan.owner?.failed(result.left)
            plan.error = "KAFKA_STORAGE_ERROR"
          }
        return answer(plans)
      })
    )
    return Effect.timeoutTo(Effect.disconnect(done), {
      duration: `${Math.max(waitMsMin, timeoutMs)} millis`,
      onSuccess: (response) => response,
      onTimeout: () => {
        for (const plan of raised) plan.error = "REQUEST_TIMED_OUT"
        return answer(plans)
      }
    })
  })
