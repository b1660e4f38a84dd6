import { Effect, Either } from "effect"
import { isInternalName } from "../../../domain/cluster/topic/name.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { DeleteRecords } from "../../protocol/message/21-delete-records.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import type { PartitionOwner } from "../partition/replica/owner.ts"
import type { Trimming } from "../partition/upkeep/trimming.ts"

type Request = RequestOf<typeof DeleteRecords>
type Response = ResponseDraft<typeof DeleteRecords>
type Asked = Request["topics"][number]["partitions"][number]

interface DeleteRecordsOptions {
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
  readonly error?: KafkaError
}

const planOf = (table: PartitionTable, topic: string, { offset, partitionIndex }: Asked): Plan => {
  const owner = table.find({ name: topic }, partitionIndex)
  if (typeof owner === "string" && isInternalName(topic)) return { partitionIndex, error: "INVALID_TOPIC_EXCEPTION" }
  if (typeof owner === "string") return { partitionIndex, error: owner === "UNKNOWN_TOPIC_ID" ? "UNKNOWN_TOPIC_OR_PARTITION" : owner }
  if (!owner.mayDelete) return { partitionIndex, error: "POLICY_VIOLATION" }
  const highWatermark = owner.highWatermark()
  const wanted = offset === all ? highWatermark : Number(offset)
  return wanted < 0 || wanted > highWatermark ? { partitionIndex, error: "OFFSET_OUT_OF_RANGE" } : { partitionIndex, owner, offset: wanted }
}

type TopicPlan = { readonly name: string; readonly partitions: ReadonlyArray<Plan> }

function* answer(plans: ReadonlyArray<TopicPlan>, errorOf: (plan: Plan) => KafkaError | undefined): Steps<Response> {
  const topics = yield* nested(
    plans,
    ({ partitions }) => partitions,
    (_, plan) => {
      const error = errorOf(plan) ?? plan.error
      const lowWatermark = error !== undefined || plan.owner === undefined ? -1n : BigInt(plan.owner.start())
      return { partitionIndex: plan.partitionIndex, errorCode: errorCode(error ?? "NONE"), lowWatermark }
    },
    ({ name }, partitions) => ({ name, partitions })
  )
  return { topics }
}

/** Where each log that is to be raised starts: at the latest of the offsets that the request names for it. */
function* raisesOf(plans: ReadonlyArray<TopicPlan>): Steps<ReadonlyMap<PartitionOwner, number>> {
  const offsets = new Map<PartitionOwner, number>()
  const stride = new Stride()
  for (const { partitions } of plans) {
    if (stride.takes()) yield
    for (const { offset = 0, owner } of partitions) {
      if (owner !== undefined) offsets.set(owner, Math.max(offset, offsets.get(owner) ?? 0))
      if (stride.takes()) yield
    }
  }
  return offsets
}

/**
 * DeleteRecords 0-2 (KIP-107): partitions start at the given offset from now on, -1 standing for the high watermark. Answered when that survives a power cut; an
 * offset before the start changes nothing and is answered with the start; of several for one partition the latest holds. Errors of a partition: OFFSET_OUT_OF_RANGE over the high watermark or below -1, POLICY_VIOLATION where cleanup.policy lacks delete,
 * INVALID_TOPIC_EXCEPTION for an internal topic, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR; REQUEST_TIMED_OUT when it took longer than `timeoutMs`, and it is done all the same.
 */
export const deleteRecords = ({ raise, table }: DeleteRecordsOptions): Route =>
  route(
    DeleteRecords,
    {},
    ({ timeoutMs, topics }) =>
      new Sliced(function* () {
        const plans = yield* nested(
          topics,
          ({ partitions }) => partitions,
          ({ name }, asked) => planOf(table, name, asked),
          ({ name }, partitions): TopicPlan => ({ name, partitions })
        )
        const offsets = yield* raisesOf(plans)
        const raises = yield* mapped(offsets, ([owner, offset]) => ({ owner, offset }))
        const done = Effect.map(raise(raises), (results) => {
          const failed = new Set<PartitionOwner>()
          for (const [index, result] of results.entries()) {
            const owner = raises[index]?.owner
            if (owner === undefined || Either.isRight(result)) continue
            owner.failed(result.left)
            failed.add(owner)
          }
          return new Sliced(() => answer(plans, ({ owner }) => (owner !== undefined && failed.has(owner) ? "KAFKA_STORAGE_ERROR" : undefined)))
        })
        return Effect.timeoutTo(Effect.disconnect(done), {
          duration: `${Math.max(waitMsMin, timeoutMs)} millis`,
          onSuccess: (response) => response,
          onTimeout: () => new Sliced(() => answer(plans, ({ owner }) => (owner === undefined ? undefined : "REQUEST_TIMED_OUT")))
        })
      })
  )
