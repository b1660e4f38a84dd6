import { Effect, Fiber, Schedule } from "effect"
import type { Coordinator } from "../group/coordinator.ts"
import type { MembershipHandler } from "../group/handler.ts"
import { Member, type MemberError } from "../group/member.ts"
import { runMembership } from "../group/membership.ts"
import { commitOffsets, type CommitError as GroupCommitError } from "../group/offsets.ts"
import type { MembershipSettings } from "../group/options.ts"
import { inScope, supervised, within } from "../runtime/supervision.ts"
import { readingOf } from "./assignment-work.ts"
import type { ConsumerContext } from "./context.ts"

/** The membership of a consumer in one group. */
export interface GroupSession {
  readonly name: string
  readonly isStatic: boolean
  /** The error that ended the membership. */
  readonly failed: MemberError | undefined
  /** Starts the membership, if it has not started and there is a subscription. */
  readonly start: Effect.Effect<void>
  /** Commits the offsets of processed messages. */
  readonly commit: Effect.Effect<void, GroupCommitError>
  /** Ends the membership with LeaveGroup. */
  readonly leave: (withinMs: number) => Effect.Effect<void>
  /** Ends the membership without LeaveGroup: the group waits for this member until its session times out. */
  readonly halt: (withinMs: number) => Effect.Effect<void>
}

/** What this member does with its assignments, and how it commits. */
const handlerOf = (context: ConsumerContext, coordinator: Coordinator, commit: Effect.Effect<void, GroupCommitError>): MembershipHandler => {
  const { events, partitions, settings, subscription, subscriptionChanged, work } = context
  const { group } = coordinator
  const { commitIntervalMs } = settings
  const commits =
    commitIntervalMs === "never" ? Effect.never : Effect.zipRight(Effect.schedule(Effect.ignore(commit), Schedule.spaced(commitIntervalMs)), Effect.never)
  const reading = readingOf(context, coordinator, commit)
  return {
    topics: () => subscription.topics,
    subscriptionChanged,
    onRetry: (error, pauseMs) => events.publish({ _tag: "Rejoining", group, pauseMs, reason: error.message }),
    onEnd: (ended, end) =>
      events.publish(
        end === "revoked" ? { _tag: "PartitionsRevoked", group, partitions: ended } : { _tag: "PartitionsLost", group, partitions: ended, reason: end }
      ),
    endWork: (withinMs) => work.end(withinMs),
    idleSince: (now) => work.idleSince(now),
    resumed: work.resumed,
    pause: () => partitions.pause(),
    processed: Effect.suspend(() => partitions.processedOf(partitions.current)),
    deliverUntil: (time) => partitions.setDeliverUntil(time),
    commit: Effect.ignore(commit),
    read: (assigned) => Effect.zipRight(reading.read(assigned), commits),
    stop: () => partitions.end(),
    cooperative: { ...reading.cooperative, commits }
  }
}

/** Makes the consumer a member of the coordinator's group. The membership starts with the first topic. */
export const joinGroup = (context: ConsumerContext, coordinator: Coordinator, membership: MembershipSettings): GroupSession => {
  const { client, events, partitions, scope, subscription, work } = context
  const { group } = coordinator
  const member = new Member(client, coordinator, membership)
  // One at a time: a retry of an earlier commit would otherwise undo a later one.
  const committing = Effect.unsafeMakeSemaphore(1)
  const commitOnce = Effect.suspend(() => {
    const { committed, offsets } = partitions.uncommitted
    if (offsets.length === 0) return Effect.void
    return commitOffsets(coordinator, member.identity, offsets).pipe(
      Effect.tap(() => Effect.sync(committed)),
      Effect.tap(() =>
        events.publish({ _tag: "OffsetsCommitted", group, offsets: offsets.map(({ offset, partition, topic }) => ({ topic, partition, offset })) })
      ),
      Effect.tapError((error) => events.publish({ _tag: "CommitFailed", group, reason: error.message }))
    )
  })
  const commit = committing.withPermits(1)(commitOnce)
  let failed: MemberError | undefined
  let fiber: Fiber.RuntimeFiber<void> | undefined
  const fail = (error: MemberError) => {
    failed = error
    partitions.arrived.notify()
  }
  const start = Effect.suspend(() => {
    if (fiber !== undefined || subscription.isEmpty) return Effect.void
    const run = Effect.catchAll(runMembership(member, membership, handlerOf(context, coordinator, commit)), (error) => Effect.sync(() => fail(error)))
    const membershipFiber = inScope(
      supervised("group membership", run, (fault) => partitions.onDefect(fault)),
      scope
    )
    return Effect.map(membershipFiber, (started) => {
      fiber = started
    })
  })
  /**
   * Stops the delivery and commits, while the partitions are still assigned. The membership ends even if the commit
   * times out: it would otherwise run beside the next one.
   */
  const finish = (withinMs: number) =>
    Effect.gen(function* () {
      partitions.pause()
      yield* work.end(withinMs)
      yield* within(Effect.ignore(commit), withinMs)
      if (fiber !== undefined) yield* Fiber.interrupt(fiber)
      partitions.end()
      partitions.arrived.notify()
    })
  return {
    name: group,
    isStatic: membership.instanceId !== null,
    get failed() {
      return failed
    },
    start,
    commit,
    leave: (withinMs) =>
      Effect.andThen(
        finish(withinMs),
        Effect.suspend(() => member.leave(withinMs))
      ),
    halt: (withinMs) => finish(withinMs)
  }
}
