import { Effect, Fiber, type Scope } from "effect"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { type Client, retryKind } from "../cluster/client.ts"
import { startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import type { Coordinator } from "../group/coordinator.ts"
import { Member, type MemberError } from "../group/member.ts"
import { type Consuming, live } from "../group/membership.ts"
import { commitOffsets, fetchOffsets, type CommitError as GroupCommitError } from "../group/offsets.ts"
import type { Membership } from "../group/options.ts"
import type { Signal } from "../runtime/signal.ts"
import { inScope, supervised, within } from "../runtime/supervision.ts"
import type { ReadingSet } from "./fetch/assigned-partitions.ts"
import type { Reading } from "./options.ts"
import type { Subscription } from "./subscription.ts"

export interface GroupSession {
  readonly name: string
  readonly isStatic: boolean
  /** Why the membership ended by itself. */
  readonly failed: MemberError | undefined
  /** Begins the membership if there is something to subscribe to, and it has not begun. */
  readonly start: Effect.Effect<void>
  /** Commits what is processed. */
  readonly commit: Effect.Effect<void, GroupCommitError>
  /** Ends the membership; the group hears of it. */
  readonly leave: (withinMs: number) => Effect.Effect<void>
  /** Ends it here alone: the group waits for this member until its session is over. */
  readonly halt: (withinMs: number) => Effect.Effect<void>
}

export interface GroupParts {
  readonly client: Client
  readonly coordinator: Coordinator
  readonly membership: Membership
  readonly reading: Reading
  readonly subscription: Subscription
  readonly changed: Signal
  readonly set: ReadingSet
  readonly work: Scope.Scope
}

/** How long to wait before a question is repeated that nobody answered, ms. The heartbeat decides meanwhile whether the member lives. */
const pauseMs = 500

/**
 * Where a member begins in each place: where its group is, else where its subscription began or as `from` says. A topic that was made again under its name begins with its first
 * message: what the group or the subscription knows of the old one says nothing about it.
 */
const beginnings = ({ client, coordinator, reading, subscription }: GroupParts, places: ReadonlyArray<TopicPartition>) =>
  Effect.gen(function* () {
    const committed = yield* fetchOffsets(coordinator, places)
    const { topics } = client.metadata.view()
    const found = new Map<string, number>()
    const ask: Array<TopicPartition & { readonly at: "earliest" | "latest" }> = []
    for (const place of places) {
      const { partition, topic } = place
      const topicId = topics.get(topic)?.topicId ?? zeroTopicId
      const group = committed.get(topicPartitionKey(place))
      const isOfAnother = group?.topicId !== undefined && group.topicId !== topicId
      const isMadeAgain = isOfAnother || subscription.isMadeAgain(topic, topicId)
      const start = reading.from === "subscribed" && !isMadeAgain ? subscription.startOf(topic, partition) : undefined
      if (group !== undefined && !isOfAnother) found.set(topicPartitionKey(place), group.offset)
      else if (start !== undefined) found.set(topicPartitionKey(place), start)
      else ask.push({ ...place, at: reading.from === "latest" && !isMadeAgain ? "latest" : "earliest" })
    }
    for (const [key, offset] of yield* startOffsets(client, ask)) found.set(key, offset)
    const fresh = ask.length > 0 || places.some((place) => !committed.has(topicPartitionKey(place)))
    return { starts: places.map((place) => ({ ...place, offset: found.get(topicPartitionKey(place)) ?? 0 })), fresh }
  })

/** Returns the places whose topics exist. The cluster is asked, since the cached view may describe an earlier topic of that name. */
const present = (client: Client, places: ReadonlyArray<TopicPartition>) =>
  Effect.map(
    Effect.forEach(new Set(places.map(({ topic }) => topic)), (topic) =>
      Effect.as(client.metadata.freshTopic(topic), topic).pipe(
        Effect.catchTags({ UnknownTopic: () => Effect.succeed(undefined), InvalidTopic: () => Effect.succeed(undefined) })
      )
    ),
    (topics) => places.filter(({ topic }) => topics.includes(topic))
  )

/** What this member does with its partitions, and how it commits. */
const consuming = (parts: GroupParts, commit: Effect.Effect<void, GroupCommitError>): Consuming => {
  const { changed, client, reading, set, subscription } = parts
  const { commitIntervalMs } = reading
  const nowAndThen = commitIntervalMs === "never" ? Effect.never : Effect.forever(Effect.andThen(Effect.sleep(commitIntervalMs), Effect.ignore(commit)))
  const begin = (places: ReadonlyArray<TopicPartition>): Effect.Effect<void, MemberError> =>
    Effect.gen(function* () {
      const { fresh, starts } = yield* beginnings(parts, yield* present(client, places))
      set.begin(starts, reading.from === "subscribed" ? "nearest" : reading.from)
      // The beginning is committed too, so that whoever gets the partition next begins where this member did and misses nothing.
      if (fresh) yield* Effect.ignore(commit)
      else set.noteCommitted()
    })
  const untilItWorks = (places: ReadonlyArray<TopicPartition>): Effect.Effect<void, MemberError> =>
    Effect.catchAll(begin(places), (error) =>
      retryKind(error) === undefined
        ? Effect.fail(error)
        : Effect.andThen(
            Effect.sleep(pauseMs),
            Effect.suspend(() => untilItWorks(places))
          )
    )
  return {
    topics: () => subscription.topics,
    changed,
    troubled: (error, pauseMs) =>
      Effect.logWarning(`The member of the group '${parts.coordinator.group}' has no partitions, and joins again in ${pauseMs} ms: ${error.message}`),
    pause: () => set.pause(),
    processed: set.allProcessed,
    aliveUntil: (moment) => set.aliveUntil(moment),
    commit: Effect.ignore(commit),
    read: (places) => Effect.andThen(untilItWorks(places), nowAndThen),
    stop: () => set.end()
  }
}

/** Makes the consumer a member. Its life begins with the first topic. */
export const joinGroup = (parts: GroupParts): GroupSession => {
  const { client, coordinator, membership, set, subscription, work } = parts
  const member = new Member(client, coordinator, membership)
  const commit = Effect.suspend(() => {
    const { committed, offsets } = set.uncommitted
    return Effect.tap(commitOffsets(coordinator, member.committer, offsets), () => Effect.sync(committed))
  })
  let failed: MemberError | undefined
  let life: Fiber.RuntimeFiber<void> | undefined
  const end = (error: MemberError) => {
    failed = error
    set.news.notify()
  }
  const start = Effect.suspend(() => {
    if (life !== undefined || subscription.isEmpty) return Effect.void
    const forever = Effect.catchAll(live(member, membership, consuming(parts, commit)), (error) => Effect.sync(() => end(error)))
    return Effect.map(
      inScope(
        supervised("group membership", forever, (fault) => set.failed(fault)),
        work
      ),
      (fiber) => {
        life = fiber
      }
    )
  })
  /** Stops handing out and commits, while the partitions are still this member's. The membership ends also when the commit is not answered in time: else it would go on beside the next one. */
  const finish = (withinMs: number) =>
    Effect.gen(function* () {
      set.pause()
      yield* within(Effect.ignore(commit), withinMs)
      if (life !== undefined) yield* Fiber.interrupt(life)
      set.end()
    })
  return {
    name: coordinator.group,
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
