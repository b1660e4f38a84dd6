import { Effect, Either } from "effect"
import { isInternalName } from "../../../domain/cluster/topic/name.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { LogFault } from "../../ports/log-store.ts"
import { DeleteRecords } from "../../protocol/message/21-delete-records.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import type { Deadlines } from "../../serve/deadlines.ts"
import { Later } from "../../wire/later.ts"
import { type Handled, type Route, route } from "../../wire/route.ts"
import { mapped, nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import type { Leading } from "../partition/leading/leading.ts"
import type { Replica } from "../partition/replica/replica.ts"
import type { Raise } from "../partition/upkeep/log-starts.ts"
import { mayDelete } from "../partition/upkeep/retained.ts"
import type { Trimming } from "../partition/upkeep/trimming.ts"

type Request = RequestOf<typeof DeleteRecords>
type Response = ResponseDraft<typeof DeleteRecords>
type PartitionRequest = Request["topics"][number]["partitions"][number]

interface DeleteRecordsOptions {
  readonly table: PartitionTable
  readonly raise: Trimming["raise"]
  /** Ends waits. */
  readonly deadlines: Deadlines
  /** ms by the monotonic clock. */
  readonly elapsed: () => number
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
  /** The leadership under which the start is raised. */
  readonly leading?: Leading
  /** There were other replicas then. */
  readonly isReplicated?: boolean
  readonly offset?: number
  /** Also set later: by a fault, or when the leadership has ended. */
  error?: KafkaError
}

const planOf = (table: PartitionTable, topic: string, { offset, partitionIndex }: PartitionRequest): Plan => {
  const replica = table.find({ name: topic }, partitionIndex)
  if (typeof replica === "string" ? isInternalName(topic) : replica.isInternal) return { partitionIndex, error: "INVALID_TOPIC_EXCEPTION" }
  if (typeof replica === "string") return { partitionIndex, error: replica === "UNKNOWN_TOPIC_ID" ? "UNKNOWN_TOPIC_OR_PARTITION" : replica }
  if (!mayDelete(replica.config)) return { partitionIndex, error: "POLICY_VIOLATION" }
  const highWatermark = replica.highWatermark()
  const start = offset === all ? highWatermark : Number(offset)
  const { leading } = replica
  if (leading === undefined) return { partitionIndex, error: "NOT_LEADER_OR_FOLLOWER" }
  return start < 0 || start > highWatermark
    ? { partitionIndex, error: "OFFSET_OUT_OF_RANGE" }
    : { partitionIndex, replica, leading, isReplicated: leading.isReplicated, offset: start }
}

type TopicPlan = { readonly name: string; readonly partitions: ReadonlyArray<Plan> }

function* respond(plans: ReadonlyArray<TopicPlan>): Steps<Response> {
  const topics = yield* nested(
    plans,
    ({ partitions }) => partitions,
    (_, { error, leading, partitionIndex }) => {
      const lowWatermark = error !== undefined || leading === undefined ? -1n : BigInt(leading.lowWatermark)
      return { partitionIndex, errorCode: errorCode(error ?? "NONE"), lowWatermark }
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

/** Waits until the replicas of partitions that live or can be elected have deleted what a request asks for. It has an entry in the list of each partition, and no fiber. */
class StartsWait {
  private readonly waiting = new Set<Plan>()
  private readonly cancellations: Array<() => void> = []
  private done: (() => void) | undefined

  get isOver(): boolean {
    return this.waiting.size === 0
  }

  add(plan: Plan): void {
    const { isReplicated, leading, offset = 0 } = plan
    if (plan.error !== undefined || leading === undefined || isReplicated !== true) return
    // The next leader may have another start: the client asks it again.
    const hasEnded = () => !leading.isCurrent
    if (hasEnded()) {
      plan.error = "NOT_LEADER_OR_FOLLOWER"
      return
    }
    this.waiting.add(plan)
    this.cancellations.push(
      leading.whenStarted(offset, (fault) => {
        if (fault !== undefined) plan.error = "KAFKA_STORAGE_ERROR"
        else if (hasEnded()) plan.error = "NOT_LEADER_OR_FOLLOWER"
        this.waiting.delete(plan)
        if (this.isOver) this.done?.()
      })
    )
  }

  /** Calls `done` when no partition waits any more. */
  whenOver(done: () => void): void {
    this.done = done
  }

  /** Ends the wait: what has not been deleted by now is not waited for. */
  expire(): void {
    for (const plan of this.waiting) plan.error = "REQUEST_TIMED_OUT"
    this.release()
  }
  release(): void {
    this.done = undefined
    this.waiting.clear()
    for (const cancel of this.cancellations.splice(0)) cancel()
  }
}

const responding = (plans: ReadonlyArray<TopicPlan>) => new Sliced(() => respond(plans))

/** Waits for the other replicas, `waitMs` at most. */
function* followed(plans: ReadonlyArray<TopicPlan>, waitMs: number, deadlines: Deadlines): Steps<Handled<typeof DeleteRecords>> {
  const wait = new StartsWait()
  let isKept = false
  try {
    const stride = new Stride()
    for (const { partitions } of plans)
      for (const plan of partitions) {
        wait.add(plan)
        if (stride.takes()) yield
      }
    isKept = true
  } finally {
    // The client has disconnected meanwhile.
    if (!isKept) wait.release()
  }
  if (wait.isOver) return yield* respond(plans)
  return new Later((ready) => {
    const deadline = deadlines.after(waitMs, () => {
      wait.expire()
      ready(() => responding(plans))
    })
    const over = () => {
      deadline.cancel()
      ready(() => responding(plans))
    }
    // A leadership may have ended between the slices and here.
    if (wait.isOver) over()
    else wait.whenOver(over)
    return () => {
      deadline.cancel()
      wait.release()
    }
  })
}

/** Sets the error of what was not raised. */
const noteFaults = (plans: ReadonlyArray<TopicPlan>, raises: ReadonlyArray<Raise>, results: ReadonlyArray<Either.Either<void, LogFault>>): void => {
  const failed = new Set<Replica>()
  for (const [index, result] of results.entries()) {
    const replica = raises[index]?.replica
    if (replica === undefined || Either.isRight(result)) continue
    replica.failed(result.left)
    failed.add(replica)
  }
  if (failed.size > 0)
    for (const { partitions } of plans)
      for (const plan of partitions) if (plan.replica !== undefined && failed.has(plan.replica)) plan.error = "KAFKA_STORAGE_ERROR"
}

/**
 * DeleteRecords 0-2 (KIP-107): raises the log start offset of partitions to the given offset; -1 means the high
 * watermark. The response is sent when the new start survives a power cut of this broker, and the logs of all replicas
 * start there that live or can be elected (ELR, KIP-966); it has the smallest start of those logs. An offset before the start changes nothing. Of several
 * offsets for one partition the largest is used.
 *
 * Errors of a partition: OFFSET_OUT_OF_RANGE above the high watermark or below -1, POLICY_VIOLATION where
 * cleanup.policy lacks delete, INVALID_TOPIC_EXCEPTION for an internal topic, UNKNOWN_TOPIC_OR_PARTITION,
 * NOT_LEADER_OR_FOLLOWER also where the leadership ended during the wait, KAFKA_STORAGE_ERROR. After `timeoutMs`, a
 * second at least, REQUEST_TIMED_OUT; the replicas still delete the records.
 */
export const deleteRecords = ({ deadlines, elapsed, raise, table }: DeleteRecordsOptions): Route =>
  route(
    DeleteRecords,
    {},
    ({ timeoutMs, topics }) =>
      new Sliced(function* () {
        const waitMs = Math.max(waitMsMin, timeoutMs)
        const begunAt = elapsed()
        const plans = yield* nested(
          topics,
          ({ partitions }) => partitions,
          ({ name }, request) => planOf(table, name, request),
          ({ name }, partitions): TopicPlan => ({ name, partitions })
        )
        const offsets = yield* raisesOf(plans)
        const raises = yield* mapped(offsets, ([replica, offset]) => ({ replica, offset }))
        const done = Effect.map(raise(raises), (results) => {
          noteFaults(plans, raises, results)
          return new Sliced(() => followed(plans, Math.max(0, waitMs - (elapsed() - begunAt)), deadlines))
        })
        return Effect.timeoutTo(Effect.disconnect(done), {
          duration: `${waitMs} millis`,
          onSuccess: (response) => response,
          onTimeout: () => {
            for (const { partitions } of plans) for (const plan of partitions) if (plan.replica !== undefined) plan.error = "REQUEST_TIMED_OUT"
            return responding(plans)
          }
        })
      })
  )
