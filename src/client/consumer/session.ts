import { type Clock, Effect, Exit, Scope } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import type { Wrong } from "../argument/check.ts"
import { guarded } from "../argument/guard.ts"
import { ClusterClient, makeClient } from "../cluster/client.ts"
import { type StartAt, startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { type CallError, Closed, type InvalidAddress, type InvalidArgument, NotSubscribed, UnknownPartition, WrongState } from "../error.ts"
import { makeCoordinator } from "../group/coordinator.ts"
import { type GroupOptions, membershipSettings } from "../group/options.ts"
import type { TopicView } from "../metadata/view.ts"
import { monotonicMs } from "../runtime/monotonic.ts"
import { Signal } from "../runtime/signal.ts"
import { inScope, within } from "../runtime/supervision.ts"
import { wrongConsumer, wrongJoin, wrongPlaces, wrongPoll, wrongRecord, wrongSeek, wrongTopics } from "./arguments.ts"
import type { AssignError, CommitError, JoinError, PollError, SubscribeError } from "./errors.ts"
import { AssignedPartitions } from "./fetch/assigned-partitions.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import { FetchConfig } from "./fetch/settings.ts"
import { type ConsumerContext, type GroupSession, joinGroup } from "./group-session.ts"
import { type ConsumerOptions, consumerSettings, type PollOptions } from "./options.ts"
import type { ConsumerService } from "./service.ts"
import { Subscription } from "./subscription.ts"

const pollTimeoutMs = 1000
/** Topics whose metadata are requested at the same time. */
const lookupsMax = 16

/** One consumer: its subscription, its group, and the messages that its caller has not yet processed. */
class Session {
  private group: GroupSession | undefined
  /** Partitions are assigned without a group. */
  private assigned = false
  private eachAcknowledged = false
  private closed = false

  constructor(
    private readonly context: ConsumerContext,
    private readonly clock: Clock.Clock
  ) {}

  private get open(): Effect.Effect<void, Closed> {
    return this.closed ? Effect.fail(new Closed({ what: "consumer" })) : Effect.void
  }

  join(group: string, options: GroupOptions): Effect.Effect<void, JoinError> {
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.group !== undefined) return yield* new WrongState({ reason: `This consumer is already a member of the group '${this.group.name}'.` })
      if (this.assigned) return yield* new WrongState({ reason: "This consumer reads assigned partitions: assign an empty list before it joins a group." })
      const coordinator = makeCoordinator(this.context.client, group)
      // Requested here, so that the caller gets the error of a group without a coordinator.
      yield* coordinator.find
      this.group = joinGroup(this.context, coordinator, membershipSettings(options))
      yield* this.group.start
    })
  }

  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const { group } = this
    if (group === undefined) return Effect.void
    this.group = undefined
    if (!this.eachAcknowledged) this.context.partitions.processedAll()
    return group.leave(this.context.client.options.closeTimeoutMs)
  })

  subscribe(topics: ReadonlyArray<string>): Effect.Effect<void, SubscribeError> {
    const { client, partitions, settings, subscription, subscriptionChanged } = this.context
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.assigned) return yield* new WrongState({ reason: "This consumer reads assigned partitions: assign an empty list before it subscribes." })
      const added = [...new Set(topics)].filter((topic) => !subscription.has(topic))
      const views = yield* Effect.forEach(added, (topic) => client.metadata.freshTopic(topic), { concurrency: lookupsMax })
      const requests = views.flatMap((view) => view.partitions.map(({ partition }) => ({ topic: view.name, partition, at: "latest" as const })))
      const ends = settings.from === "subscribed" ? yield* startOffsets(client, requests) : new Map<string, number>()
      for (const { name, topicId } of views) {
        const ofTopic = requests.filter(({ topic }) => topic === name).map((one) => [one.partition, ends.get(topicPartitionKey(one)) ?? 0] as const)
        subscription.add(name, { topicId, ends: new Map(ofTopic) })
      }
      partitions.unmute(topics)
      subscriptionChanged.notify()
      if (this.group !== undefined) yield* this.group.start
    })
  }
  unsubscribe(topics: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const topic of topics) this.context.subscription.remove(topic)
      this.context.partitions.mute(topics)
      this.context.subscriptionChanged.notify()
    })
  }
  get topics(): ReadonlyArray<string> {
    return this.context.subscription.topics
  }

  poll({
    acknowledge,
    maxRecords = this.context.settings.pollRecordsMax,
    timeoutMs = pollTimeoutMs
  }: PollOptions): Effect.Effect<ReadonlyArray<ConsumedRecord>, PollError> {
    const { partitions } = this.context
    return Effect.gen(this, function* () {
      yield* this.open
      this.eachAcknowledged = acknowledge === "each"
      if (!this.eachAcknowledged) partitions.processedAll()
      const until = monotonicMs(this.clock) + timeoutMs
      for (;;) {
        const reason = this.idleReason
        if (reason !== undefined) return yield* new NotSubscribed({ reason })
        const records = partitions.take(Math.max(1, maxRecords))
        if (records.length > 0) return records
        const error = this.group?.failed ?? partitions.takeDefect() ?? partitions.error
        if (error !== undefined) return yield* Effect.fail(error)
        const leftMs = until - monotonicMs(this.clock)
        if (leftMs <= 0) return []
        yield* partitions.arrived.waitAtMost(leftMs)
        yield* this.open
      }
    })
  }
  private get idleReason(): string | undefined {
    if (this.assigned) return undefined
    if (this.group === undefined) return "This consumer is in no group: join one, or assign partitions to it."
    return this.context.subscription.isEmpty ? "This consumer has not subscribed to any topic." : undefined
  }

  readonly commit: Effect.Effect<void, CommitError> = Effect.suspend((): Effect.Effect<void, CommitError> => {
    if (this.closed) return Effect.fail(new Closed({ what: "consumer" }))
    if (this.group === undefined) return Effect.fail(new WrongState({ reason: "Offsets are committed for a group, and this consumer is in none." }))
    if (!this.eachAcknowledged) this.context.partitions.processedAll()
    return this.group.commit
  })

  assign(assignment: ReadonlyArray<TopicPartition & { readonly at: StartAt }>): Effect.Effect<void, AssignError> {
    const { client, partitions } = this.context
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.group !== undefined) return yield* new WrongState({ reason: "This consumer is in a group, which assigns its partitions." })
      for (const topic of new Set(assignment.map((one) => one.topic))) {
        const unknownIn = (view: TopicView) => assignment.find((one) => one.topic === topic && view.partitions[one.partition] === undefined)
        if (unknownIn(yield* client.metadata.topic(topic)) === undefined) continue
        // The partition may be new: the topic's metadata is requested once more before it is refused.
        const view = yield* client.metadata.freshTopic(topic)
        const unknown = unknownIn(view)
        if (unknown !== undefined) return yield* new UnknownPartition({ topic, partition: unknown.partition, partitions: view.partitions.length })
      }
      const offsets = yield* startOffsets(client, assignment)
      const positions = assignment.map(({ partition, topic }) => ({ topic, partition, offset: offsets.get(topicPartitionKey({ topic, partition })) ?? 0 }))
      this.assigned = assignment.length > 0
      partitions.setDeliverUntil(Number.POSITIVE_INFINITY)
      partitions.begin(positions, assignment.some(({ at }) => typeof at === "object" && "offset" in at) ? "refuse" : "nearest")
    })
  }

  /**
   * Closes within `closeTimeoutMs`. The delivered messages count as processed only when the scope ends without an
   * error.
   */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { client, partitions } = this.context
    return Effect.suspend(() => {
      if (Exit.isFailure(exit)) this.eachAcknowledged = true
      const leaving = this.group?.isStatic === true ? this.group.halt(client.options.closeTimeoutMs) : this.leave
      return Effect.andThen(
        within(leaving, client.options.closeTimeoutMs),
        Effect.sync(() => {
          this.closed = true
          partitions.end()
          partitions.arrived.notify()
        })
      )
    })
  }
}

type Ports = Transport | Checksum | Compression
type MakeError = CallError | InvalidAddress | InvalidArgument

/** See Consumer.make. */
export const makeSession = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Ports | Scope.Scope> =>
  guarded("Consumer.make", () => wrongConsumer(options), open(options))

const open = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Ports | Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* makeClient(options)
    const settings = consumerSettings(options)
    // Fetches and heartbeats live in a scope that ends after the consumer has left its group, and before the
    // connections close.
    const scope = yield* Effect.acquireRelease(Scope.make(), (own, exit) => Scope.close(own, exit))
    const partitions = yield* AssignedPartitions.make.pipe(Effect.provideService(ClusterClient, client), Effect.provideService(FetchConfig, settings))
    yield* inScope(partitions.run, scope)
    const context = { client, settings, partitions, scope, subscription: new Subscription(), subscriptionChanged: new Signal() }
    const session = new Session(context, yield* Effect.clock)
    yield* Effect.addFinalizer((exit) => session.close(exit))
    return yield* serviceOf(session, partitions)
  })

/**
 * The consumer's calls with the checks of their arguments. Polls run one at a time, and so do the calls that change the
 * membership or the assignment.
 */
const serviceOf = (session: Session, partitions: AssignedPartitions): Effect.Effect<ConsumerService> =>
  Effect.gen(function* () {
    const polling = yield* Effect.makeSemaphore(1)
    const changing = yield* Effect.makeSemaphore(1)
    const change = <A, E>(call: string, check: () => Wrong | undefined, effect: Effect.Effect<A, E>) => guarded(call, check, changing.withPermits(1)(effect))
    return {
      joinConsumerGroup: (group, options = {}) => change("joinConsumerGroup", () => wrongJoin(group, options), session.join(group, options)),
      leaveConsumerGroup: changing.withPermits(1)(session.leave),
      subscribe: (...topics) => change("subscribe", () => wrongTopics(topics), session.subscribe(topics)),
      unsubscribe: (...topics) => change("unsubscribe", () => wrongTopics(topics), session.unsubscribe(topics)),
      subscription: Effect.sync(() => session.topics),
      poll: (options = {}) => guarded("poll", () => wrongPoll(options), polling.withPermits(1)(Effect.suspend(() => session.poll(options)))),
      acknowledge: (record) =>
        guarded(
          "acknowledge",
          () => wrongRecord(record),
          Effect.sync(() => partitions.processed({ topic: record.topic, partition: record.partition, offset: record.offset, topicId: record.topicId }))
        ),
      commit: session.commit,
      assign: (places) => change("assign", () => wrongPlaces(places), session.assign(places)),
      positions: Effect.sync(() => partitions.positions),
      isAssigned: Effect.sync(() => partitions.isAssigned),
      seek: (topic, partition, offset) =>
        guarded(
          "seek",
          () => wrongSeek(topic, partition, offset),
          Effect.sync(() => partitions.seek({ topic, partition }, offset))
        )
    }
  })
