import { Effect, Random } from "effect"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import { monotonicNow } from "./monotonic.ts"

/** Why something is tried again; each kind has a pace of its own. */
export type RetryKind =
  /** Nobody answers there, or the connection broke. */
  | "connection"
  /** The partition, the group or the controller is led by another node than the one asked, or by nobody for a moment. */
  | "leadership"
  /** The node said that it cannot at present: too few replicas, a full disk, a quota. */
  | "load"

/** The first pause and the longest, in ms; in between each is twice the one before. */
const pace: Record<RetryKind, { readonly firstMs: number; readonly mostMs: number }> = {
  connection: { firstMs: 50, mostMs: 1000 },
  // A new leader is known within some tens of milliseconds: asking soon is worth a request.
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
/** Whether the error says that somebody else leads now, so that the client must learn who. */
export const isLeadership = (error: KafkaError): boolean => leadership.has(error)
export const retryKindOf = (error: KafkaError): RetryKind => (leadership.has(error) ? "leadership" : "load")

/** The pause before attempt `attempt` (1 is the first repetition), in ms; `chance` from 0 to 1 spreads it by a fifth, so that many clients do not come back at once. */
export const retryDelayMs = (kind: RetryKind, attempt: number, chance: number): number => {
  const { firstMs, mostMs } = pace[kind]
  return Math.round(Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 16)) * (0.8 + 0.4 * chance))
}

/** Runs `effect` again while `kindOf` gives a kind for its error, at that kind's pace, until `withinMs` have passed since the start; then the last error stands. */
export const retryWithin =
  <E>(withinMs: number, kindOf: (error: E) => RetryKind | undefined) =>
  <A, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(monotonicNow, (startedAt) => {
      const attempt = (nth: number): Effect.Effect<A, E, R> =>
        Effect.catchAll(effect, (error) => {
          const kind = kindOf(error)
          if (kind === undefined) return Effect.fail(error)
          return Effect.gen(function* () {
            const delayMs = retryDelayMs(kind, nth, yield* Random.next)
            const now = yield* monotonicNow
            if (now + delayMs - startedAt > withinMs) return yield* Effect.fail(error)
            yield* Effect.sleep(delayMs)
            return yield* attempt(nth + 1)
          })
        })
      return attempt(1)
    })
