import { type Clock, Effect, Exit } from "effect"
import { loopTurn } from "../../ports/event-loop.ts"
import { type OffsetsError, type StartAt, startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { Closed, CommitRefused, NotSubscribed, UnknownPartition, WrongState } from "../error.ts"
import { makeCoordinator } from "../group/coordinator.ts"
import { membershipSettings } from "../group/options.ts"
import type { TopicView } from "../metadata/view.ts"
import { monotonicMs } from "../runtime/monotonic.ts"
import { within } from "../runtime/supervision.ts"
import type { ConsumerContext } from "./context.ts"
import type { AssignError, CommitError, JoinError, PollError, RunError, SubscribeError } from "./errors.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import { type GroupSession, joinGroup } from "./group-session.ts"
import type { JoinOptions, PollOptions } from "./options.ts"
import type { RunOptions, WithoutScope } from "./run/options.ts"
import { Runner } from "./run/runner.ts"
import type { PartitionLag } from "./service.ts"

const pollTimeoutMs = 1000
/** The poll of one message. */
const one = { maxRecords: 1, acknowledge: "each" } as const
/** Topics whose metadata are requested at the same time. */
const lookupsMax = 16

/** One consumer: its subscription, its group, and the messages that its caller has not yet processed. */
export class Session {
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

  join(group: string, options: JoinOptions): Effect.Effect<void, JoinError> {
    return Effect.gen(this, function* () {
      yield* this.open
      if (this.group !== undefined) return yield* new WrongState({ reason: `This consumer is already a member of the group '${this.group.name}'.` })
      if (this.assigned) return yield* new WrongState({ reason: "This consumer reads assigned partitions: assign an empty list before it joins a group." })
      const coordinator = makeCoordinator(this.context.client, group)
      // Requested here, so that the caller gets the error of a group without a coordinator.
      yield* coordinator.find
      this.context.work.onAssigned = options.onAssigned
      this.group = joinGroup(this.context, coordinator, membershipSettings(options, this.context.settings.rack || null))
      yield* this.group.start
    })
  }

  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const { group } = this
    if (group === undefined) return Effect.void
    this.group = undefined
    if (!this.eachAcknowledged) this.context.partitions.processedAll()
    this.context.partitions.arrived.notify()
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
      const ends = settings.from === "subscribed" ? yield* startOffsets(client, requests, settings.isolation) : new Map<string, number>()
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
    const { partitions, work } = this.context
    return Effect.suspend(() => {
      if (work.isRunning) return new WrongState({ reason: "This consumer runs handlers: `run` delivers its messages." })
      this.eachAcknowledged = acknowledge === "each"
      if (!this.eachAcknowledged) partitions.processedAll()
      partitions.takeForfeited()
      const now = monotonicMs(this.clock)
      work.onPoll(now, 1)
      // What is there needs no wait.
      const ready = this.closed || this.idleReason !== undefined ? [] : partitions.take(maxRecords)
      const end = () => work.onPoll(monotonicMs(this.clock), -1)
      if (ready.length === 0) return Effect.ensuring(this.pollUntil(now + timeoutMs, maxRecords), Effect.sync(end))
      end()
      return Effect.succeed(ready)
    })
  }
  /** Returns the next message; undefined after a while without one. */
  readonly next: Effect.Effect<ConsumedRecord | undefined, PollError> = Effect.suspend(() => Effect.map(this.poll(one), ([record]) => record))
  /** As `next`, where a message is there. Plain code: a poll costs several times as much as the rest of a stream. */
  nextNow(): Effect.Effect<ConsumedRecord> | undefined {
    const { partitions, work } = this.context
    if (!this.eachAcknowledged || work.isRunning || this.closed || this.idleReason !== undefined) return undefined
    const record = partitions.takeNext()
    if (record === undefined) return undefined
    work.onTaken()
    return Effect.succeed(record)
  }
  private pollUntil(until: number, maxRecords: number): Effect.Effect<ReadonlyArray<ConsumedRecord>, PollError> {
    const { partitions } = this.context
    return Effect.gen(this, function* () {
      yield* this.open
      for (let isLast = false; ; ) {
        const reason = this.idleReason
        if (reason !== undefined) return yield* new NotSubscribed({ reason })
        const records = partitions.take(maxRecords)
        if (records.length > 0) return records
        const error = this.group?.failed ?? partitions.takeDefect() ?? partitions.takeError()
        if (error !== undefined) return yield* Effect.fail(error)
        if (isLast) return []
        const leftMs = until - monotonicMs(this.clock)
        isLast = leftMs <= 0
        // A process that was paused, or had no processor, finds its timers due before it has read what arrived meanwhile.
        yield* isLast ? loopTurn : partitions.arrived.waitAtMost(leftMs)
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
    const { inHand, processed } = this.context.partitions.takeForfeited()
    if (processed || (inHand && !this.eachAcknowledged)) return Effect.fail(new CommitRefused({ group: this.group.name, error: "ILLEGAL_GENERATION" }))
    return this.group.commit
  })

  assign(assignment: ReadonlyArray<TopicPartition & { readonly at: StartAt }>): Effect.Effect<void, AssignError> {
    const { client, partitions, work } = this.context
    return Effect.gen(this, function* () {
      if (this.group !== undefined) return yield* new WrongState({ reason: "This consumer is in a group, which assigns its partitions." })
      const positions = yield* this.offsets(assignment)
      yield* work.end(client.options.closeTimeoutMs)
      this.assigned = assignment.length > 0
      partitions.setDeliverUntil(Number.POSITIVE_INFINITY)
      partitions.begin(positions, assignment.some(({ at }) => typeof at === "object" && "offset" in at) ? "refuse" : "nearest")
      partitions.takeForfeited()
      yield* work.begin(monotonicMs(this.clock), partitions.current)
      partitions.resume()
    })
  }

  /** Returns the offset of each place. */
  offsets(
    places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>
  ): Effect.Effect<ReadonlyArray<TopicPartition & { readonly offset: number }>, AssignError> {
    const { client, settings } = this.context
    return Effect.gen(this, function* () {
      yield* this.open
      for (const topic of new Set(places.map((one) => one.topic))) {
        const unknownIn = (view: TopicView) => places.find((one) => one.topic === topic && view.partitions[one.partition] === undefined)
        if (unknownIn(yield* client.metadata.topic(topic)) === undefined) continue
        // The partition may be new: the topic's metadata is requested once more before it is refused.
        const view = yield* client.metadata.freshTopic(topic)
        const unknown = unknownIn(view)
        if (unknown !== undefined) return yield* new UnknownPartition({ topic, partition: unknown.partition, partitions: view.partitions.length })
      }
      const offsets = yield* startOffsets(client, places, settings.isolation)
      return places.map(({ partition, topic }) => ({ topic, partition, offset: offsets.get(topicPartitionKey({ topic, partition })) ?? 0 }))
    })
  }

  readonly lag: Effect.Effect<ReadonlyArray<PartitionLag>, OffsetsError | Closed> = Effect.suspend(() => {
    const { client, partitions, settings } = this.context
    const ends = startOffsets(
      client,
      partitions.positions.map(({ partition, topic }) => ({ topic, partition, at: "latest" })),
      settings.isolation
    )
    // The positions after the response: a lag is never more than what there is to read.
    const lags = Effect.map(ends, (found) =>
      partitions.positions.flatMap((position) => {
        const end = found.get(topicPartitionKey(position))
        return end === undefined ? [] : [{ ...position, end, lag: Math.max(0, end - position.offset) }]
      })
    )
    return Effect.andThen(this.open, lags)
  })

  /** Continues a partition at another place. False where it is not read at present. */
  seek(partition: TopicPartition, at: number | StartAt): Effect.Effect<boolean, AssignError> {
    const { partitions } = this.context
    if (typeof at === "number") return Effect.sync(() => partitions.seek(partition, at))
    return Effect.suspend(() => {
      if (partitions.reader(partition) === undefined) return Effect.succeed(false)
      return Effect.map(this.offsets([{ ...partition, at }]), ([found]) => found !== undefined && partitions.seek(partition, found.offset))
    })
  }

  /** Handles messages until a handler fails, the consumer cannot read, or the caller interrupts it. */
  run<E, R, E2, R2>(
    handler: (record: ConsumedRecord) => Effect.Effect<unknown, E, R>,
    options: RunOptions<E2, R2>
  ): Effect.Effect<never, E | E2 | RunError, R | WithoutScope<R2>> {
    const { partitions, work } = this.context
    return Effect.gen(this, function* () {
      yield* this.open
      if (work.isRunning) return yield* new WrongState({ reason: "This consumer runs handlers already." })
      this.eachAcknowledged = true
      const runner = yield* Runner.make(partitions, handler, options)
      const failure = runner.failure as Effect.Effect<never, E | E2>
      return yield* Effect.acquireUseRelease(
        work.use(runner),
        () => Effect.raceFirst(failure, this.watch(runner)),
        () => this.finishRun(runner)
      )
    }) as Effect.Effect<never, E | E2 | RunError, R | WithoutScope<R2>>
  }
  /** Wakes the handlers for what arrives, and fails for what a poll would fail for. */
  private watch(runner: Runner): Effect.Effect<never, RunError> {
    const { partitions } = this.context
    const step = Effect.suspend((): Effect.Effect<void, RunError> => {
      runner.wake()
      // The part that failed is in the log and works again.
      partitions.takeDefect()
      const reason = this.idleReason
      if (reason !== undefined) return Effect.fail(new NotSubscribed({ reason }))
      const error = this.group?.failed ?? partitions.takeError()
      return error === undefined ? Effect.andThen(partitions.arrived.wait, () => this.open) : Effect.fail(error)
    })
    return Effect.forever(step)
  }
  /** Waits for the handlers that have begun, and commits what they processed. */
  private finishRun(runner: Runner): Effect.Effect<void> {
    const { client, partitions, work } = this.context
    const { closeTimeoutMs } = client.options
    return Effect.gen(this, function* () {
      runner.stop()
      yield* within(runner.quiet, closeTimeoutMs)
      yield* runner.end(closeTimeoutMs)
      work.finish(monotonicMs(this.clock))
      partitions.rewind()
      if (this.group !== undefined) yield* within(Effect.ignore(this.group.commit), closeTimeoutMs)
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
