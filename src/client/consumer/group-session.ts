import { Effect, Fiber, Schedule, type Scope } from "effect"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { type Client, retryKind } from "../cluster/client.ts"
import { startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import type { Coordinator } from "../group/coordinator.ts"
import { Member, type MemberError } from "../group/member.ts"
import { type MembershipHandler, runMembership } from "../group/membership.ts"
import { commitOffsets, fetchOffsets, type CommitError as GroupCommitError } from "../group/offsets.ts"
import type { MembershipSettings } from "../group/options.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import type { Signal } from "../runtime/signal.ts"
import { inScope, supervised, within } from "../runtime/supervision.ts"
import type { ConsumerEvents } from "./events.ts"
import type { AssignedPartitions } from "./fetch/assigned-partitions.ts"
import type { ConsumerSettings } from "./options.ts"
import type { PartitionWork } from "./partition-work.ts"
import type { Subscription } from "./subscription.ts"

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

/** What a consumer and its membership share. */
export interface ConsumerContext {
  readonly client: Client
  readonly settings: ConsumerSettings
  readonly subscription: Subscription
  readonly subscriptionChanged: Signal
  readonly partitions: AssignedPartitions
  readonly work: PartitionWork
  readonly events: ConsumerEvents["Type"]
  /** The scope of the consumer's fibers. */
  readonly scope: Scope.Scope
}

/** The pause before the start offsets are requested again, ms. Heartbeats continue meanwhile. */
const startRetryMs = 500

/**
 * Returns where a member begins in each partition: at the group's offset, else where its subscription began or as
 * `from` says. A topic that was deleted and created again begins with its first message, since the offsets of the group
 * and the subscription belong to the old topic. `isNew`: the group has no offset for some of them.
 */
const startPositions = ({ client, settings, subscription }: ConsumerContext, coordinator: Coordinator, partitions: ReadonlyArray<TopicPartition>) =>
  Effect.gen(function* () {
    const committed = yield* fetchOffsets(coordinator, partitions)
    const { topics } = client.metadata.view()
    const starts = new Map<string, number>()
    const requests: Array<TopicPartition & { readonly at: "earliest" | "latest" }> = []
    for (const one of partitions) {
      const { partition, topic } = one
      const topicId = topics.get(topic)?.topicId ?? zeroTopicId
      const ofGroup = committed.get(topicPartitionKey(one))
      const isOfOldTopic = ofGroup?.topicId !== undefined && ofGroup.topicId !== topicId
      const isRecreated = isOfOldTopic || subscription.isRecreated(topic, topicId)
      const start = settings.from === "subscribed" && !isRecreated ? subscription.startOf(topic, partition) : undefined
      if (ofGroup !== undefined && !isOfOldTopic) starts.set(topicPartitionKey(one), ofGroup.offset)
      else if (start !== undefined) starts.set(topicPartitionKey(one), start)
      else requests.push({ ...one, at: settings.from === "latest" && !isRecreated ? "latest" : "earliest" })
    }
    for (const [key, offset] of yield* startOffsets(client, requests, settings.isolation)) starts.set(key, offset)
    const isNew = requests.length > 0 || partitions.some((one) => !committed.has(topicPartitionKey(one)))
    return { positions: partitions.map((one) => ({ ...one, offset: starts.get(topicPartitionKey(one)) ?? 0 })), isNew }
  })

/**
 * Returns the partitions whose topics exist. The cluster is asked, since the cached view may describe an earlier topic
 * of that name.
 */
const existing = (client: Client, partitions: ReadonlyArray<TopicPartition>) =>
  Effect.map(
    Effect.forEach(new Set(partitions.map(({ topic }) => topic)), (topic) =>
      Effect.as(client.metadata.freshTopic(topic), topic).pipe(
        Effect.catchTags({ UnknownTopic: () => Effect.succeed(undefined), InvalidTopic: () => Effect.succeed(undefined) })
      )
    ),
    (topics) => partitions.filter(({ topic }) => topics.includes(topic))
  )

/** What this member does with its assignments, and how it commits. */
const handlerOf = (context: ConsumerContext, coordinator: Coordinator, commit: Effect.Effect<void, GroupCommitError>): MembershipHandler => {
  const { client, events, partitions, settings, subscription, subscriptionChanged, work } = context
  const { group } = coordinator
  const { commitIntervalMs } = settings
  const commits =
    commitIntervalMs === "never" ? Effect.never : Effect.zipRight(Effect.schedule(Effect.ignore(commit), Schedule.spaced(commitIntervalMs)), Effect.never)
  const begin = (assigned: ReadonlyArray<TopicPartition>): Effect.Effect<void, MemberError> =>
    Effect.gen(function* () {
      const { isNew, positions } = yield* startPositions(context, coordinator, yield* existing(client, assigned))
      partitions.begin(positions, settings.from === "subscribed" ? "nearest" : settings.from)
      yield* events.publish({ _tag: "PartitionsAssigned", group, partitions: positions })
      // The start is committed too, so that the next member of a partition begins where this one did, and misses no
      // message.
      if (isNew) yield* Effect.ignore(commit)
      else partitions.noteCommitted()
      yield* work.begin(yield* monotonicNow)
      partitions.resume()
    })
  const retried = { schedule: Schedule.spaced(startRetryMs), while: (error: MemberError) => retryKind(error) !== undefined }
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
    processed: partitions.allProcessed,
    deliverUntil: (time) => partitions.setDeliverUntil(time),
    commit: Effect.ignore(commit),
    read: (assigned) => Effect.zipRight(Effect.retry(begin(assigned), retried), commits),
    stop: () => partitions.end()
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
