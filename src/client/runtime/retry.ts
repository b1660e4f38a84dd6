import { Effect, Random, Schedule } from "effect"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import { monotonicNow } from "./monotonic.ts"

/** Why a request is retried. Each kind has its own backoff. */
export type RetryKind =
  /** The node is unreachable, or the connection broke. */
  | "connection"
  /** Another node than the one asked leads the partition, the group or the cluster, or no node does at the moment. */
  | "leadership"
  /** The node cannot do it at the moment: too few replicas, a full disk, a quota. */
  | "load"

/** The first pause and the longest, ms. Each pause is twice the one before. */
const backoff: Record<RetryKind, { readonly firstMs: number; readonly mostMs: number }> = {
  connection: { firstMs: 50, mostMs: 1000 },
  // A new leader is known within some tens of milliseconds: an early request is worth its cost.
  leadership: { firstMs: 20, mostMs: 500 },
  load: { firstMs: 100, mostMs: 2000 }
}

const leadership: ReadonlySet<KafkaError> = new Set<KafkaError>([
  "NOT_LEADER_OR_FOLLOWER",
  "LEADER_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "INCONSISTENT_TOPIC_ID",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REPLICA_NOT_AVAILABLE",
  "OFFSET_NOT_AVAILABLE",
  "NOT_CONTROLLER",
  "NOT_COORDINATOR",
  "COORDINATOR_NOT_AVAILABLE",
  "COORDINATOR_LOAD_IN_PROGRESS"
])
/** Whether the error says that the leader has changed, so that the client must refresh its metadata. */
export const isLeadership = (error: KafkaError): boolean => leadership.has(error)
export const retryKindOf = (error: KafkaError): RetryKind => (leadership.has(error) ? "leadership" : "load")

/** Doublings after which the longest pause is reached in any case: the power stays a finite number. */
const doublingsMax = 16

/**
 * Returns the pause before retry number `attempt` (from 1), ms. `chance`, from 0 to 1, spreads it by a fifth in both
 * directions, so that many clients do not retry at the same time.
 */
export const retryDelayMs = (kind: RetryKind, attempt: number, chance: number): number => {
  const { firstMs, mostMs } = backoff[kind]
  return Math.round(Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, doublingsMax)) * (0.8 + 0.4 * chance))
}

/**
 * Recurs with the backoff of the error's kind; ends where the error has no kind, or the pause would pass `deadline`, ms
 * of the monotonic clock.
 */
const retrySchedule = <E>(deadline: number, kindOf: (error: E) => RetryKind | undefined): Schedule.Schedule<number | undefined, E> =>
  Schedule.intersect(Schedule.forever, Schedule.identity<E>()).pipe(
    Schedule.mapEffect(([attempt, error]) =>
      Effect.gen(function* () {
        const kind = kindOf(error)
        if (kind === undefined) return undefined
        const delayMs = retryDelayMs(kind, attempt + 1, yield* Random.next)
        return (yield* monotonicNow) + delayMs > deadline ? undefined : delayMs
      })
    ),
    Schedule.whileOutput((delayMs) => delayMs !== undefined),
    Schedule.addDelay((delayMs) => delayMs ?? 0)
  )

/**
 * Retries `effect` while `kindOf` gives a kind for its error, for `withinMs` from the start; then fails with the last
 * error.
 */
export const retryWithin =
  <E>(withinMs: number, kindOf: (error: E) => RetryKind | undefined) =>
  <A, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(monotonicNow, (startedAt) => Effect.retry(effect, retrySchedule(startedAt + withinMs, kindOf)))
