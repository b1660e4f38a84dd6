import { Cause, Effect, Option, Schedule } from "effect"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { Fenced } from "../error.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import { within } from "../runtime/supervision.ts"
import type { MembershipHandler } from "./handler.ts"
import { type AssignmentEnd, heartbeats } from "./heartbeats.ts"
import type { Member, MemberAssignment, MemberError } from "./member.ts"
import { isCooperative, type MembershipSettings } from "./options.ts"

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

/** Which part of the rebalance timeout the scopes of the partitions have to close. */
const closingPart = 4

/** The partitions of `some` that `others` lacks. */
const without = (some: ReadonlyArray<TopicPartition>, others: ReadonlyArray<TopicPartition>): ReadonlyArray<TopicPartition> => {
  const keys = new Set(others.map(topicPartitionKey))
  return some.filter((one) => !keys.has(topicPartitionKey(one)))
}

/** One member in the course of its generations. */
class Life {
  /** The partitions of the last assignment, as long as the member reads them. */
  private assigned: ReadonlyArray<TopicPartition> = []
  /** The topics of the last JoinGroup. */
  private joinedWith: ReadonlyArray<string> = []
  private readonly keepAlive: Effect.Effect<never>
  private readonly closingMs: number

  constructor(
    private readonly member: Member,
    private readonly settings: MembershipSettings,
    private readonly handler: MembershipHandler
  ) {
    const heartbeat = Effect.gen(function* () {
      const sentAt = yield* monotonicNow
      const result = yield* member.heartbeat
      if (result === "alive" || result === "rebalance") handler.deliverUntil(sentAt + settings.sessionTimeoutMs)
    })
    this.keepAlive = Effect.zipRight(Effect.schedule(heartbeat, Schedule.spaced(settings.heartbeatIntervalMs)), Effect.never)
    this.closingMs = settings.rebalanceTimeoutMs / closingPart
  }

  /** Every partition is given away, or lost. */
  ended(end: Parameters<MembershipHandler["onEnd"]>[1]): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.handler.stop()
      const before = this.assigned
      this.assigned = []
      return before.length === 0 ? Effect.void : this.handler.onEnd(before, end)
    })
  }
  lose(reason: "session" | "stalled" | "fenced" | "failed"): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.handler.stop()
      return Effect.andThen(this.handler.endWork(this.settings.heartbeatIntervalMs), this.ended(reason))
    })
  }

  private readonly topics = (): ReadonlyArray<string> => {
    this.joinedWith = this.handler.topics()
    return this.joinedWith
  }
  private heartbeats(assignment: MemberAssignment): Effect.Effect<AssignmentEnd> {
    return Effect.suspend(() => heartbeats(this.member, this.settings, this.handler, assignment, this.joinedWith))
  }

  /** One generation of an eager member. */
  readonly eager: Effect.Effect<AssignmentEnd, MemberError> = Effect.gen(this, function* () {
    const assignment = yield* this.member.join(this.topics)
    this.assigned = assignment.partitions
    const end = yield* Effect.raceFirst(this.handler.read(this.assigned), this.heartbeats(assignment))
    return end === "rebalance" ? yield* this.release : end
  })
  /** Gives all partitions away. "stalled" where the caller kept them for `maxPollIntervalMs`: what it has processed is committed. */
  private get release(): Effect.Effect<"rebalance" | "stalled"> {
    const { handler } = this
    handler.pause()
    return Effect.gen(this, function* () {
      const wait = yield* Effect.raceFirst(this.processing(handler.processed), this.keepAlive)
      if (wait === "stalled") return yield* Effect.as(handler.commit, wait)
      yield* Effect.raceFirst(handler.endWork(this.closingMs), this.keepAlive)
      yield* Effect.andThen(handler.commit, this.ended("revoked"))
      return "rebalance"
    })
  }
  /**
   * Waits in a rebalance until messages are processed, for half of the rebalance timeout at most, and no longer than the
   * caller may take for a message: a handler that hangs must not hold the rebalance up beyond `maxPollIntervalMs`.
   */
  private processing(processed: Effect.Effect<void>): Effect.Effect<"over" | "stalled"> {
    const wait = Effect.raceFirst(Effect.as(processed, "over" as const), Effect.as(this.untilStalled(), "stalled" as const))
    return Effect.map(
      within(wait, this.settings.rebalanceTimeoutMs / 2),
      Option.getOrElse(() => "over" as const)
    )
  }
  private untilStalled(): Effect.Effect<void> {
    const { maxPollIntervalMs } = this.settings
    return Effect.flatMap(monotonicNow, (now) => {
      const leftMs = Math.min(maxPollIntervalMs, this.handler.idleSince(now) + maxPollIntervalMs - now)
      return leftMs <= 0 ? Effect.void : Effect.zipRight(Effect.sleep(leftMs), this.untilStalled())
    })
  }

  /** One generation of a cooperative member. */
  readonly cooperative: Effect.Effect<AssignmentEnd, MemberError> = Effect.gen(this, function* () {
    const { handler } = this
    const subscribed = handler.topics()
    yield* this.revoke(this.assigned.filter(({ topic }) => !subscribed.includes(topic)))
    const assignment = yield* this.member.join(this.topics, () => this.assigned, this.lose("session"))
    const revoked = without(this.assigned, assignment.partitions)
    yield* this.revoke(revoked)
    this.assigned = assignment.partitions
    const added = handler.cooperative.add(this.assigned)
    // The group assigns what was revoked in the next rebalance.
    const work = revoked.length > 0 ? Effect.as(added, "rebalance" as const) : Effect.zipRight(added, Effect.never)
    return yield* Effect.raceFirst(work, this.heartbeats(assignment))
  })
  private revoke(partitions: ReadonlyArray<TopicPartition>): Effect.Effect<void> {
    if (partitions.length === 0) return Effect.void
    const { handler } = this
    const revoked = handler.cooperative.revoke(partitions, (processed) => this.processing(processed), this.closingMs)
    this.assigned = without(this.assigned, partitions)
    return Effect.zipRight(Effect.raceFirst(revoked, this.keepAlive), handler.onEnd(partitions, "revoked"))
  }
}

/**
 * Runs a membership: joins, reads the assigned partitions, and joins again at each rebalance. Before a member gives
 * partitions away it stops their delivery, waits until the delivered messages are processed (half the rebalance timeout
 * at most, with heartbeats, and no longer than `maxPollIntervalMs`), ends the work on them, and commits, so that no other
 * member receives them.
 *
 * An eager member gives all of its partitions away before it joins again. A cooperative one (KIP-429) keeps them and
 * reads on; the assignment tells which it must give away, and after that it joins once more, so that the group can assign
 * those to others.
 *
 * A member that lost its partitions commits nothing, since they may belong to others. Ends by interruption, or with an
 * error that is final (see `isFinal`). After any other error the member joins again, however often.
 */
export const runMembership = (member: Member, settings: MembershipSettings, handler: MembershipHandler): Effect.Effect<never, MemberError> => {
  const life = new Life(member, settings, handler)
  const generation = Effect.gen(function* () {
    const end = yield* isCooperative(settings) ? life.cooperative : life.eager
    if (end === "rebalance") return
    if (end === "fenced") {
      yield* life.lose("fenced")
      return yield* new Fenced({ what: `The member '${settings.instanceId}'`, error: "FENCED_INSTANCE_ID" })
    }
    if (end !== "stalled") return yield* life.lose("session")
    yield* life.lose("stalled")
    // The others need not wait for the session to time out. A static member keeps its session, as in Kafka.
    if (settings.instanceId === null) yield* member.leave(settings.sessionTimeoutMs)
    // The group's other members join within a session's time, and handle the partitions before this one competes again.
    yield* Effect.zip(handler.resumed, Effect.sleep(settings.sessionTimeoutMs), { concurrent: true })
  })
  const rejoining = Schedule.intersect(rejoinPauses, Schedule.identity<MemberError>()).pipe(
    Schedule.whileOutput(([, error]) => !isFinal(error)),
    Schedule.tapOutput(([pauseMs, error]) => (isFinal(error) ? Effect.void : Effect.zipRight(life.lose("failed"), handler.onRetry(error, pauseMs))))
  )
  // A generation that ends without an error resets the pauses. An interruption is a member that leaves after its commit.
  const generations = Effect.forever(Effect.retry(generation, rejoining))
  return (isCooperative(settings) ? Effect.raceFirst(generations, handler.cooperative.commits) : generations).pipe(
    Effect.tapErrorCause((cause) => (Cause.isInterruptedOnly(cause) ? Effect.void : life.lose("failed"))),
    Effect.ensuring(life.ended("revoked"))
  )
}
