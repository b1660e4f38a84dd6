import { Cause, Effect, Schedule } from "effect"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import { Fenced } from "../error.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import type { Signal } from "../runtime/signal.ts"
import { within } from "../runtime/supervision.ts"
import type { HeartbeatResult, Member, MemberAssignment, MemberError } from "./member.ts"
import type { MembershipSettings } from "./options.ts"

/** How soon a heartbeat without a response is repeated, ms. */
const heartbeatRetryMs = 200

/** How often the leader of a group checks whether its topics have more partitions than it assigned, ms. */
const partitionCheckMs = 10_000

/** What a consumer does in the course of its membership. */
export interface MembershipHandler {
  /** The subscribed topics. */
  readonly topics: () => ReadonlyArray<string>
  /** Notified when the subscription has changed. */
  readonly subscriptionChanged: Signal
  /** Delivers no message until the next assignment. */
  readonly pause: () => void
  /** Returns when every delivered message is processed. */
  readonly processed: Effect.Effect<void>
  /**
   * Ends the work on the partitions: interrupts the handlers that have not finished, and closes the scopes of the
   * partitions. Returns after `withinMs` at the latest.
   */
  readonly endWork: (withinMs: number) => Effect.Effect<void>
  /** Commits the offsets of processed messages, as far as the group accepts them. */
  readonly commit: Effect.Effect<void>
  /**
   * Reads these partitions from the group's offsets, or from the start of the subscription, and commits at intervals.
   * Runs until it is interrupted.
   */
  readonly read: (partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<never, MemberError>
  /** Until this time, ms, the group assigns the partitions to no other member. */
  readonly deliverUntil: (time: number) => void
  /** Since when the caller has made no progress, ms; infinite where it has nothing to do. */
  readonly idleSince: (now: number) => number
  /** Returns when the caller makes progress again. */
  readonly resumed: Effect.Effect<void>
  /** The member gave its partitions away, or lost them. `partitions` are those of its last assignment. */
  readonly onEnd: (partitions: ReadonlyArray<TopicPartition>, end: "revoked" | "session" | "stalled" | "fenced" | "failed") => Effect.Effect<void>
  /** The member has no partitions, for an error that a retry may resolve, and rejoins after the pause. */
  readonly onRetry: (error: MemberError, pauseMs: number) => Effect.Effect<void>
  /** The partitions are no longer assigned to this member. */
  readonly stop: () => void
}

const sameCounts = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean =>
  a.size === b.size && [...a].every(([topic, count]) => b.get(topic) === count)

/** The first pause before a member rejoins after an error, and the longest, ms. */
const rejoinPauseFirstMs = 250
const rejoinPauseMostMs = 5000
/** Recurs after pauses that double. Its output is the pause, ms. */
const rejoinPauses = Schedule.unfold(rejoinPauseFirstMs, (pauseMs) => Math.min(pauseMs * 2, rejoinPauseMostMs)).pipe(Schedule.addDelay((pauseMs) => pauseMs))

/** Whether the group, or the cluster, refuses this member as it is, so that a retry cannot help. */
const isFinal = (error: MemberError): boolean => {
  switch (error._tag) {
    case "GroupRefused":
    case "Fenced":
    case "NotAuthorized":
    case "UnsupportedByCluster":
    case "TlsFailed":
      return true
    case "AuthenticationFailed":
      return !error.temporary
    case "NotReachable":
    case "RequestTimedOut":
    case "AnswerTooLarge":
    case "KafkaFailure":
      return false
  }
}

/** What ends an assignment. "stalled": the caller makes no progress. */
type AssignmentEnd = HeartbeatResult | "stalled"

/** Sends heartbeats until one ends this assignment, or the caller makes no progress for `maxPollIntervalMs`. */
const heartbeats = (
  member: Member,
  settings: MembershipSettings,
  handler: MembershipHandler,
  { counts }: MemberAssignment,
  joinedWith: ReadonlyArray<string>
): Effect.Effect<AssignmentEnd> =>
  Effect.gen(function* () {
    let aliveAt = yield* monotonicNow
    let countedAt = aliveAt
    let pauseMs = settings.heartbeatIntervalMs
    for (;;) {
      handler.deliverUntil(aliveAt + settings.sessionTimeoutMs)
      const stalledInMs = handler.idleSince(yield* monotonicNow) + settings.maxPollIntervalMs - (yield* monotonicNow)
      yield* handler.subscriptionChanged.waitAtMost(Math.max(0, Math.min(pauseMs, stalledInMs)))
      if (handler.topics().join() !== joinedWith.join()) return "rebalance"
      const sentAt = yield* monotonicNow
      if (sentAt - handler.idleSince(sentAt) >= settings.maxPollIntervalMs) return "stalled"
      const result = yield* member.heartbeat
      const now = yield* monotonicNow
      // A lost heartbeat is repeated soon: the session times out meanwhile.
      pauseMs = result === "unanswered" ? Math.min(heartbeatRetryMs, settings.heartbeatIntervalMs) : settings.heartbeatIntervalMs
      // The coordinator received it between the two times. The earlier one is safe.
      if (result === "alive") aliveAt = sentAt
      // Without a response the session may have timed out: the group may have assigned the partitions to other members,
      // which would receive the same messages.
      else if (result !== "unanswered" || now - aliveAt > settings.sessionTimeoutMs) return result === "unanswered" ? "lost" : result
      if (counts !== undefined && now - countedAt > partitionCheckMs) {
        countedAt = now
        const current = yield* Effect.option(member.countPartitions([...counts.keys(), ...joinedWith.filter((topic) => !counts.has(topic))]))
        if (current._tag === "Some" && !sameCounts(current.value, counts)) return "rebalance"
      }
    }
  })

/** Which part of the rebalance timeout the scopes of the partitions have to close. */
const closingPart = 4

/**
 * Runs a membership: joins, reads the assigned partitions, and joins again at each rebalance. Before it joins again it
 * stops the delivery, waits until the delivered messages are processed (half the rebalance timeout at most, with
 * heartbeats), ends the work on the partitions, and commits, so that no other member receives them. A member that lost
 * its partitions commits nothing, since they may belong to others. Ends by interruption, or with an error that is final
 * (see `isFinal`). After any other error the member joins again, however often.
 */
export const runMembership = (member: Member, settings: MembershipSettings, handler: MembershipHandler): Effect.Effect<never, MemberError> => {
  let assigned: ReadonlyArray<TopicPartition> = []
  const keepAlive = Effect.zipRight(Effect.schedule(member.heartbeat, Schedule.spaced(settings.heartbeatIntervalMs)), Effect.never)
  const closingMs = settings.rebalanceTimeoutMs / closingPart
  const ended = (end: Parameters<MembershipHandler["onEnd"]>[1]) =>
    Effect.suspend(() => {
      handler.stop()
      const before = assigned
      assigned = []
      return before.length === 0 ? Effect.void : handler.onEnd(before, end)
    })
  const release = Effect.suspend(() => {
    handler.pause()
    const finished = Effect.zipRight(within(handler.processed, settings.rebalanceTimeoutMs / 2), handler.endWork(closingMs))
    return Effect.raceFirst(finished, keepAlive).pipe(Effect.andThen(handler.commit), Effect.andThen(ended("revoked")))
  })
  const lose = (reason: "session" | "stalled" | "fenced" | "failed") =>
    Effect.suspend(() => {
      handler.stop()
      return Effect.andThen(handler.endWork(settings.heartbeatIntervalMs), ended(reason))
    })
  const generation = Effect.gen(function* () {
    let joinedWith: ReadonlyArray<string> = []
    const assignment = yield* member.join(() => {
      joinedWith = handler.topics()
      return joinedWith
    })
    assigned = assignment.partitions
    const end = yield* Effect.raceFirst(handler.read(assignment.partitions), heartbeats(member, settings, handler, assignment, joinedWith))
    if (end === "rebalance") return yield* release
    if (end === "fenced") {
      yield* lose("fenced")
      return yield* new Fenced({ what: `The member '${settings.instanceId}'`, error: "FENCED_INSTANCE_ID" })
    }
    if (end !== "stalled") return yield* lose("session")
    yield* lose("stalled")
    // The others need not wait for the session to time out. A static member keeps its session, as in Kafka.
    if (settings.instanceId === null) yield* member.leave(settings.sessionTimeoutMs)
    // The group's other members join within a session's time, and handle the partitions before this one competes again.
    yield* Effect.zip(handler.resumed, Effect.sleep(settings.sessionTimeoutMs), { concurrent: true })
  })
  const rejoining = Schedule.intersect(rejoinPauses, Schedule.identity<MemberError>()).pipe(
    Schedule.whileOutput(([, error]) => !isFinal(error)),
    Schedule.tapOutput(([pauseMs, error]) => (isFinal(error) ? Effect.void : Effect.zipRight(lose("failed"), handler.onRetry(error, pauseMs))))
  )
  // A generation that ends without an error resets the pauses. An interruption is a member that leaves after its commit.
  return Effect.forever(Effect.retry(generation, rejoining)).pipe(
    Effect.tapErrorCause((cause) => (Cause.isInterruptedOnly(cause) ? Effect.void : lose("failed"))),
    Effect.ensuring(ended("revoked"))
  )
}
