import { Effect, Schedule } from "effect"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { type Client, retryKind } from "../cluster/client.ts"
import { startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import type { Coordinator } from "../group/coordinator.ts"
import type { MembershipHandler } from "../group/handler.ts"
import type { MemberError } from "../group/member.ts"
import { fetchOffsets } from "../group/offsets.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import type { ConsumerContext } from "./context.ts"
import type { PartitionPosition } from "./fetch/offset-in-range.ts"
import type { PartitionReader } from "./fetch/partition-reader.ts"

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

/** How a member begins to read what the group assigns, and gives it away. */
export const readingOf = (context: ConsumerContext, coordinator: Coordinator, commit: Effect.Effect<void, unknown>) => {
  const { client, events, partitions, settings, work } = context
  const whenOutOfRange = settings.from === "subscribed" ? "nearest" : settings.from
  /** Reads partitions from their starts: those alone, or beside others that are read already. */
  const begin = (
    assigned: ReadonlyArray<TopicPartition>,
    opened: (positions: ReadonlyArray<PartitionPosition>) => ReadonlyArray<PartitionReader>,
    onInterrupted: (readers: ReadonlyArray<PartitionReader>) => Effect.Effect<void>
  ): Effect.Effect<void, MemberError> => {
    const begun = Effect.gen(function* () {
      const { isNew, positions } = yield* startPositions(context, coordinator, yield* existing(client, assigned))
      const readers = opened(positions)
      const started = Effect.gen(function* () {
        yield* events.publish({ _tag: "PartitionsAssigned", group: coordinator.group, partitions: positions })
        // The start is committed too, so that the next member of a partition begins where this one did, and misses no
        // message.
        if (isNew) yield* Effect.ignore(commit)
        else partitions.noteCommitted(readers)
        yield* work.begin(yield* monotonicNow, readers)
        partitions.resume(readers)
      })
      yield* Effect.onInterrupt(started, () => onInterrupted(readers))
    })
    return Effect.retry(begun, { schedule: Schedule.spaced(startRetryMs), while: (error: MemberError) => retryKind(error) !== undefined })
  }
  /** Reads these partitions and no others. The membership ends the work where it is interrupted. */
  const read = (assigned: ReadonlyArray<TopicPartition>) => {
    const opened = (positions: ReadonlyArray<PartitionPosition>) => {
      partitions.begin(positions, whenOutOfRange)
      return partitions.current
    }
    return begin(assigned, opened, () => Effect.void)
  }
  // Another rebalance came: the partitions begin again after it.
  const withdraw = (readers: ReadonlyArray<PartitionReader>) =>
    Effect.andThen(
      work.end(client.options.closeTimeoutMs, readers),
      Effect.sync(() => partitions.remove(readers))
    )
  const cooperative: Omit<MembershipHandler["cooperative"], "commits"> = {
    add: (assigned) =>
      Effect.suspend(() => {
        const added = assigned.filter((one) => partitions.reader(one) === undefined)
        if (added.length === 0 && partitions.isAssigned) return Effect.void
        return begin(added, (positions) => partitions.add(positions, whenOutOfRange), withdraw)
      }),
    revoke: (given, bounded, closeMs) =>
      Effect.gen(function* () {
        const readers = partitions.hold(given)
        yield* bounded(partitions.processedOf(readers))
        yield* work.end(closeMs, readers)
        yield* Effect.ignore(commit)
        partitions.remove(readers)
      })
  }
  return { read, cooperative }
}
