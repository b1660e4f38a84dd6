import { Effect, Either } from "effect"
import { isInternalName } from "../../../domain/cluster/topic/name.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { DeleteRecords } from "../../protocol/message/21-delete-records.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import type { Replica } from "../partition/replica/replica.ts"
import { mayDelete } from "../partition/upkeep/retained.ts"
import type { Trimming } from "../partition/upkeep/trimming.ts"

type Request = RequestOf<typeof DeleteRecords>
type Response = ResponseDraft<typeof DeleteRecords>
type PartitionRequest = Request["topics"][number]["partitions"][number]

interface DeleteRecordsOptions {
  readonly table: PartitionTable
  readonly raise: Trimming["raise"]
}

/** The offset that means the high watermark. */
const all = -1n

/**
 * The shortest timeout, ms: 0 means that the client does not wait for other replicas, and the request still waits for
 * the disk.
 */
const waitMsMin = 1000

/** What the request does to one partition: raise its start offset, or answer with an error. */
interface Plan {
  readonly partitionIndex: number
  readonly replica?: Replica
  readonly offset?: number
  readonly error?: KafkaError
}

const planOf = (table: PartitionTable, topic: string, { offset, partitionIndex }: PartitionRequest): Plan => {
  const replica = table.find({ name: topic }, partitionIndex)
  if (typeof replica === "string" && isInternalName(topic)) return { partitionIndex, error: "INVALID_TOPIC_EXCEPTION" }
  if (typeof replica === "string") return { partitionIndex, error: replica === "UNKNOWN_TOPIC_ID" ? "UNKNOWN_TOPIC_OR_PARTITION" : replica }
  if (!mayDelete(replica.config)) return { partitionIndex, error: "POLICY_VIOLATION" }
  const highWatermark = replica.highWatermark()
  const start = offset === all ? highWatermark : Number(offset)
  return start < 0 || start > highWatermark ? { partitionIndex, error: "OFFSET_OUT_OF_RANGE" } : { partitionIndex, replica, offset: start }
}

type TopicPlan = { readonly name: string; readonly partitions: ReadonlyArray<Plan> }

function* respond(plans: ReadonlyArray<TopicPlan>, errorOf: (plan: Plan) => KafkaError | undefined): Steps<Response> {
  const topics = yield* nested(
    plans,
    ({ partitions }) => partitions,
    (_, plan) => {
      const error = errorOf(plan) ?? plan.error
      const lowWatermark = error !== undefined || plan.replica === undefined ? -1n : BigInt(plan.replica.start())
      return { partitionIndex: plan.partitionIndex, errorCode: errorCode(error ?? "NONE"), lowWatermark }
    },
    ({ name }, partitions) => ({ name, partitions })
  )
  return { topics }
}

/** Returns the new start offset of each log: the largest offset that the request has for it. */
function* raisesOf(plans: ReadonlyArray<TopicPlan>): Steps<ReadonlyMap<Replica, number>> {
  const offsets = new Map<Replica, number>()
  const stride = new Stride()
  for (const { partitions } of plans) {
    if (stride.takes()) yield
    for (const { offset = 0, replica } of partitions) {
      if (replica !== undefined) offsets.set(replica, Math.max(offset, offsets.get(replica) ?? 0))
      if (stride.takes()) yield
    }
  }
  return offsets
}

/**
 * DeleteRecords 0-2 (KIP-107): raises the log start offset of partitions to the given offset; -1 means the high
 * watermark. The response is sent when the new start survives a power cut of this broker; followers learn it later. An offset before the start changes nothing
 * and is answered with the start. Of several offsets for one partition the largest is used.
 *
 * Errors of a partition: OFFSET_OUT_OF_RANGE above the high watermark or below -1, POLICY_VIOLATION where
 * cleanup.policy lacks delete, INVALID_TOPIC_EXCEPTION for an internal topic, UNKNOWN_TOPIC_OR_PARTITION,
 * NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR. After `timeoutMs` REQUEST_TIMED_OUT; the broker still raises the start.
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
          ({ name }, request) => planOf(table, name, request),
          ({ name }, partitions): TopicPlan => ({ name, partitions })
        )
        const offsets = yield* raisesOf(plans)
        const raises = yield* mapped(offsets, ([replica, offset]) => ({ replica, offset }))
        const done = Effect.map(raise(raises), (results) => {
          const failed = new Set<Replica>()
          for (const [index, result] of results.entries()) {
            const replica = raises[index]?.replica
            if (replica === undefined || Either.isRight(result)) continue
            replica.failed(result.left)
            failed.add(replica)
          }
          return new Sliced(() => respond(plans, ({ replica }) => (replica !== undefined && failed.has(replica) ? "KAFKA_STORAGE_ERROR" : undefined)))
        })
        return Effect.timeoutTo(Effect.disconnect(done), {
          duration: `${Math.max(waitMsMin, timeoutMs)} millis`,
          onSuccess: (response) => response,
          onTimeout: () => new Sliced(() => respond(plans, ({ replica }) => (replica === undefined ? undefined : "REQUEST_TIMED_OUT")))
        })
      })
  )
