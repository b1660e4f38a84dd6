import { type Clock, Effect, Exit, Runtime, Scope } from "effect"
import { Checksum } from "../../ports/checksum.ts"
import { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import type { Wrong } from "../argument/check.ts"
import { guarded } from "../argument/guard.ts"
import { type Client, makeClient } from "../cluster/client.ts"
import { type StartAt, startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { type CallError, Closed, type InvalidAddress, type InvalidArgument, NotSubscribed, UnknownPartition, WrongState } from "../error.ts"
import { makeCoordinator } from "../group/coordinator.ts"
import { type GroupOptions, membershipOf } from "../group/options.ts"
import type { TopicView } from "../metadata/view.ts"
import { monotonicMs } from "../runtime/monotonic.ts"
import { Signal } from "../runtime/signal.ts"
import { inScope, within } from "../runtime/supervision.ts"
import { wrongConsumer, wrongJoin, wrongPlaces, wrongPoll, wrongRecord, wrongSeek, wrongTopics } from "./arguments.ts"
import { ReadingSet } from "./fetch/assigned-partitions.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import { type GroupSession, joinGroup } from "./group-session.ts"
import { type ConsumerOptions, type PollOptions, type Reading, readingOf } from "./options.ts"
import type { ConsumerService } from "./service.ts"
import { Subscription } from "./subscription.ts"
import type { AssignError, CommitError, JoinError, PollError, SubscribeError } from "./types.ts"

const pollTimeoutMs = 1000

/** One consumer: what it reads, in which group, and what its user has in hand. */
class Session {
  readonly subscription = new Subscription()
  /** Rung when the subscription has changed. */
  readonly changed = new Signal()
  private group: GroupSession | undefined
  /** Set when partitions are read without a group. */
  private assigned = false
  private eachAcknowledged = false
  private closed = false

  constructor(
    private readonly client: Client,
    private readonly reading: Reading,
    private readonly set: ReadingSet,
    private readonly clock: Clock.Clock,
    private readonly work: Scope.Scope
  ) {}

  private get open(): Effect.Effect<void, Closed> {
    return this.closed ? Effect.fail(new Closed({ what: "consumer" })) : Effect.void
  }

  join(group: string, options: GroupOptions): Effect.Effect<void, JoinError> {
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.group !== undefined) return yield* new WrongState({ reason: `This consumer is a member of the group '${this.group.name}' already.` })
      if (this.assigned)
        return yield* new WrongState({ reason: "This consumer reads partitions that were assigned to it; unassign them before it joins a group." })
      const coordinator = makeCoordinator(this.client, group)
      // Asked here, so that a group that nobody coordinates is the caller's to hear about.
      yield* coordinator.find
      this.group = joinGroup({
        client: this.client,
        coordinator,
        membership: membershipOf(options),
        reading: this.reading,
        subscription: this.subscription,
        changed: this.changed,
        set: this.set,
        work: this.work
      })
      yield* this.group.start
    })
  }

  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const { group } = this
    if (group === undefined) return Effect.void
    this.group = undefined
    if (!this.eachAcknowledged) this.set.processedAll()
    return group.leave(this.client.options.closeTimeoutMs)
  })

  subscribe(topics: ReadonlyArray<string>): Effect.Effect<void, SubscribeError> {
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.assigned)
        return yield* new WrongState({ reason: "This consumer reads partitions that were assigned to it; unassign them before it subscribes." })
      const fresh = [...new Set(topics)].filter((topic) => !this.subscription.has(topic))
      const views = yield* Effect.forEach(fresh, (topic) => this.client.metadata.freshTopic(topic), { concurrency: 16 })
      const places = views.flatMap(({ name, partitions }) => partitions.map(({ partition }) => ({ topic: name, partition, at: "latest" as const })))
      const ends = this.reading.from === "subscribed" ? yield* startOffsets(this.client, places) : new Map<string, number>()
      for (const { name, topicId } of views) {
        const mine = places.filter(({ topic }) => topic === name).map((place) => [place.partition, ends.get(topicPartitionKey(place)) ?? 0] as const)
        this.subscription.add(name, { topicId, ends: new Map(mine) })
      }
      this.set.unmute(topics)
      this.changed.notify()
      if (this.group !== undefined) yield* this.group.start
    })
  }
  unsubscribe(topics: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const topic of topics) this.subscription.remove(topic)
      this.set.mute(topics)
      this.changed.notify()
    })
  }

  poll({
    acknowledge,
    maxRecords = this.reading.pollRecordsMax,
    timeoutMs = pollTimeoutMs
  }: PollOptions): Effect.Effect<ReadonlyArray<ConsumedRecord>, PollError> {
    return Effect.gen(this, function* () {
      yield* this.open
      this.eachAcknowledged = acknowledge === "each"
      if (!this.eachAcknowledged) this.set.processedAll()
      const until = monotonicMs(this.clock) + timeoutMs
      for (;;) {
        const reason = this.idleReason
        if (reason !== undefined) return yield* new NotSubscribed({ reason })
        const records = this.set.take(Math.max(1, maxRecords))
        if (records.length > 0) return records
        const error = this.group?.failed ?? this.set.takeDefect() ?? this.set.error
        if (error !== undefined) return yield* Effect.fail(error)
        const leftMs = until - monotonicMs(this.clock)
        if (leftMs <= 0) return []
        yield* this.set.news.waitAtMost(leftMs)
        yield* this.open
      }
    })
  }
  private get idleReason(): string | undefined {
    if (this.assigned) return undefined
    if (this.group === undefined) return "This consumer is in no group: join one, or assign partitions to it."
    return this.subscription.isEmpty ? "This consumer has not subscribed to any topic." : undefined
  }

  readonly commit: Effect.Effect<void, CommitError> = Effect.suspend((): Effect.Effect<void, CommitError> => {
    if (this.closed) return Effect.fail(new Closed({ what: "consumer" }))
    if (this.group === undefined) return Effect.fail(new WrongState({ reason: "Offsets are committed for a group, and this consumer is in none." }))
    if (!this.eachAcknowledged) this.set.processedAll()
    return this.group.commit
  })

  assign(places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>): Effect.Effect<void, AssignError> {
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.group !== undefined) return yield* new WrongState({ reason: "This consumer is in a group, which gives it its partitions." })
      for (const topic of new Set(places.map((place) => place.topic))) {
        const wrongIn = ({ partitions }: TopicView) => places.find((place) => place.topic === topic && partitions[place.partition] === undefined)
        if (wrongIn(yield* this.client.metadata.topic(topic)) === undefined) continue
        // The partition that was asked for may be a new one: the topic is looked at once more before it is refused.
        const view = yield* this.client.metadata.freshTopic(topic)
        const wrong = wrongIn(view)
        if (wrong !== undefined) return yield* new UnknownPartition({ topic, partition: wrong.partition, partitions: view.partitions.length })
      }
      const offsets = yield* startOffsets(this.client, places)
      const starts = places.map(({ partition, topic, ...place }) => ({
        topic,
        partition,
        offset: offsets.get(topicPartitionKey({ topic, partition })) ?? 0,
        ...place
      }))
      this.assigned = places.length > 0
      this.set.aliveUntil(Number.POSITIVE_INFINITY)
      this.set.begin(starts, places.some(({ at }) => typeof at === "object" && "offset" in at) ? "refuse" : "nearest")
    })
  }

  /** Closes within the bound. What the user has in hand counts as processed only when nothing went wrong. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (Exit.isFailure(exit)) this.eachAcknowledged = true
      const leaving = this.group?.isStatic === true ? this.group.halt(this.client.options.closeTimeoutMs) : this.leave
      return Effect.andThen(
        within(leaving, this.client.options.closeTimeoutMs),
        Effect.sync(() => {
          this.closed = true
          this.set.end()
          this.set.news.notify()
        })
      )
    })
  }
}

/** See Consumer.make. */
export const makeSession = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Needs | Scope.Scope> =>
  guarded("Consumer.make", () => wrongConsumer(options), open(options))

type MakeError = CallError | InvalidAddress | InvalidArgument
type Needs = Transport | Checksum | Compression

const open = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Needs | Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* makeClient(options)
    const compression = yield* Compression
    const checksum = yield* Checksum
    const clock = yield* Effect.clock
    const runtime = yield* Effect.runtime<never>()
    // Fetches and heartbeats live in a scope that ends after the group was left, and before the connections.
    const work = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const reading = readingOf(options)
    const set = new ReadingSet({
      client,
      reading,
      decoding: { crc32c: checksum.crc32c, decompress: compression.decompress, batchBytesMax: reading.batchBytesMax },
      clock,
      fork: (effect) => void Runtime.runFork(runtime, Effect.interruptible(effect), { scope: work })
    })
    yield* inScope(set.run, work)
    const session = new Session(client, reading, set, clock, work)
    yield* Effect.addFinalizer((exit) => session.close(exit))
    // One call at a time: each of them is about the same hand-out and the same membership.
    const polling = yield* Effect.makeSemaphore(1)
    const changing = yield* Effect.makeSemaphore(1)
    return serviceOf(session, set, polling, changing)
  })

/** The session behind its door: the arguments of each call are checked, for that call alone. */
const serviceOf = (session: Session, set: ReadingSet, polling: Effect.Semaphore, changing: Effect.Semaphore): ConsumerService => {
  const change = <A, E>(call: string, check: () => Wrong | undefined, effect: Effect.Effect<A, E>) => guarded(call, check, changing.withPermits(1)(effect))
  return {
    joinConsumerGroup: (group, options = {}) => change("joinConsumerGroup", () => wrongJoin(group, options), session.join(group, options)),
    leaveConsumerGroup: changing.withPermits(1)(session.leave),
    subscribe: (...topics) => change("subscribe", () => wrongTopics(topics), session.subscribe(topics)),
    unsubscribe: (...topics) => change("unsubscribe", () => wrongTopics(topics), session.unsubscribe(topics)),
    subscription: Effect.sync(() => session.subscription.topics),
    poll: (options = {}) => guarded("poll", () => wrongPoll(options), polling.withPermits(1)(Effect.suspend(() => session.poll(options)))),
    acknowledge: (record) =>
      guarded(
        "acknowledge",
        () => wrongRecord(record),
        Effect.sync(() => set.processed({ topic: record.topic, partition: record.partition, offset: record.offset, topicId: record.topicId }))
      ),
    commit: session.commit,
    assign: (places) => change("assign", () => wrongPlaces(places), session.assign(places)),
    positions: Effect.sync(() => set.places),
    isAssigned: Effect.sync(() => set.isAssigned),
    seek: (topic, partition, offset) =>
      guarded(
        "seek",
        () => wrongSeek(topic, partition, offset),
        Effect.sync(() => set.seek({ topic, partition }, offset))
      )
  }
}
