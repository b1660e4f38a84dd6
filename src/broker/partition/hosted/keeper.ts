import { type Clock, Effect, Either, Exit, Queue, Runtime, Schedule, Scope } from "effect"
import type { Event } from "../../../../domain/cluster/event.ts"
import { type Broker, brokerOf, type Cluster, type Partition, type Topic, topicById } from "../../../../domain/cluster/state.ts"
import { type NodeConfig, type TopicConfig, topicConfig } from "../../../../domain/kernel/config.ts"
import type { BrokerId, TopicId } from "../../../../domain/kernel/id.ts"
import type { Packing } from "../../../../domain/log/open-batch.ts"
import { Checksum } from "../../../ports/checksum.ts"
import { type LogFault, LogStore } from "../../../ports/log-store.ts"
import { logConfig } from "../replica/log-config.ts"
import { PartitionOwner } from "../replica/owner.ts"
import { Cleaner } from "../upkeep/cleaner.ts"
import { Flushing, flushCheckMs } from "../upkeep/flushing.ts"
import { LogStarts } from "../upkeep/log-starts.ts"
import { Trimming } from "../upkeep/trimming.ts"
import { FewLines } from "./few-lines.ts"
import { inLanes } from "./lanes.ts"
import { PartitionTable } from "./table.ts"

interface KeeperOptions {
  readonly nodeId: BrokerId
  /** What holds for this node now. */
  readonly config: () => NodeConfig
  /** The image as it stands. */
  readonly cluster: () => Cluster
  /** Whether the image's entry for this node means this process, and not one that ran before it. */
  readonly isSelf: (broker: Broker) => boolean
  readonly packing: Packing
  readonly report: (line: string) => void
}

/** Keeps the logs that this broker holds in step with the image. */
export interface Keeper {
  readonly table: PartitionTable
  /**
   * Once, when the image has caught up: opens what is this broker's, removes what was removed while it was away. Ends when every log is open or has failed. Fails "corrupt"
   * where it cannot be known where logs start.
   */
  readonly begin: (removed: ReadonlySet<TopicId>) => Effect.Effect<void, LogFault>
  /** After each further run of events, which the image holds already. Stops and starts leading at once; opening and removing files follows in the background. */
  readonly apply: (events: ReadonlyArray<Event>) => void
  /** Raises the starts of logs, and drops what lies before them. */
  readonly raise: Trimming["raise"]
  /** A data directory is offline: its partitions are not led here any more. */
  readonly leaveOffline: () => void
  /** Stops leading anything, whatever the image says from now on: the broker is about to end. */
  readonly rest: () => void
}

interface Place {
  readonly topicId: TopicId
  readonly partition: number
  /** It was placed here while this process followed: there is no log of it yet, not even in a directory that cannot be read. */
  readonly isNew?: boolean
}
const keyOf = ({ topicId, partition }: Place): string => `${topicId}-${partition}`

/** Logs opened or removed at a time: an open reads the tail of a file and waits for a directory sync. */
const concurrency = 8
/** How often silent producers are looked for, as Kafka's producer.id.expiration.check.interval.ms. */
const expiryCheckMs = 600_000
/** When logs are looked through for the first time for what need not be kept: a broker that starts has other things to do, as in Kafka. */
const firstCheckMs = 30_000
/** How often logs that could not be opened are tried again: a disk may have room by now, or the process files to open. */
const reopenMs = 10_000
/** Lines of one round that name a partition; a disk that fails may hold thousands, and the rest is a number. */
const linesMax = 5

const isEmpty = (record: object): boolean => Object.keys(record).length === 0

class Shelf {
  readonly table: PartitionTable
  readonly starts: LogStarts
  private readonly pending = new Map<string, Place>()
  private readonly open = new Map<string, { readonly owner: PartitionOwner; readonly scope: Scope.CloseableScope }>()
  /** Logs that could not be opened for a reason that may pass. */
  private readonly failing = new Map<string, Place>()
  private latest: { readonly node: NodeConfig; readonly configs: Topic["configs"]; readonly config: TopicConfig } | undefined
  private readonly lines: FewLines
  private begun = false
  private said = 0

  constructor(
    private readonly options: KeeperOptions,
    private readonly store: LogStore["Type"],
    private readonly checksum: Checksum["Type"],
    private readonly clock: Clock.Clock,
    private readonly signal: Queue.Queue<void>
  ) {
    this.table = new PartitionTable(options.cluster)
    this.starts = new LogStarts(store)
    this.lines = new FewLines(options.report)
  }

  private wanted({ topicId, partition }: Place): { readonly topic: Topic; readonly partition: Partition } | undefined {
    const topic = topicById(this.options.cluster(), topicId)
    const found = topic?.partitions.at(partition)
    return topic !== undefined && found?.replicas.includes(this.options.nodeId) ? { topic, partition: found } : undefined
  }

  /** The image names this very process as the leader and says that it may serve. */
  private leads(partition: Partition): boolean {
    const { nodeId, cluster, isSelf } = this.options
    const self = brokerOf(cluster(), nodeId)
    return partition.leader === nodeId && self !== undefined && !self.fenced && isSelf(self)
  }

  private assignRole(owner: PartitionOwner, partition: Partition | undefined): void {
    if (!this.begun || partition === undefined || !this.leads(partition)) return owner.rest()
    // Epochs never fall. If they do, the leader has lost events, and records that were written later would look older than those before them.
    if ((owner.lastEpoch ?? -1) <= partition.leaderEpoch) return owner.lead(partition.leaderEpoch)
    const { topic, partition: index, lastEpoch } = owner
    this.options.report(
      `${topic}-${index} is not served: its log has leader epoch ${lastEpoch}, the cluster's leader says ${partition.leaderEpoch}. Events of the leader's journal are missing.`
    )
    owner.rest()
  }

  leaveOffline(): void {
    for (const { owner } of this.open.values()) owner.restIfOffline()
  }

  rest(): void {
    this.begun = false
    for (const { owner } of this.open.values()) owner.rest()
  }

  apply(events: ReadonlyArray<Event>): void {
    if (!this.begun) return
    for (const event of events) {
      if (event._tag === "TopicRemoved") this.drop(event.topicId)
      else if (event._tag === "TopicConfigsChanged") this.configure(event.topicId)
      else if (event._tag === "NodeConfigsChanged") this.configureAll(event.nodeId)
      else if (event._tag === "PartitionPlaced" || event._tag === "PartitionLeaderChanged") this.refresh(event, event._tag === "PartitionPlaced")
      else if (
        (event._tag === "BrokerRegistered" || event._tag === "BrokerFenced" || event._tag === "BrokerUnfenced" || event._tag === "BrokerRemoved") &&
        event.brokerId === this.options.nodeId
      )
        for (const { owner } of this.open.values()) this.assignRole(owner, this.wanted(owner)?.partition)
    }
    if (this.pending.size > 0) this.signal.unsafeOffer(undefined)
  }

  /** What holds for a topic now: its own settings over this node's. Topics without any share one, and so do the partitions of one that follow each other. */
  private configOf({ configs }: Topic): TopicConfig {
    const node = this.options.config()
    const before = this.latest
    if (before?.node === node && (before.configs === configs || (isEmpty(before.configs) && isEmpty(configs)))) return before.config
    const config = topicConfig(node, configs)
    this.latest = { node, configs, config }
    return config
  }

  private configure(topicId: TopicId): void {
    const topic = topicById(this.options.cluster(), topicId)
    if (topic !== undefined) for (const owner of this.table.ownersOf(topicId)) owner.configure(this.configOf(topic))
  }

  /** What was set for this node, or for all of them, holds for every topic that does not say it itself. */
  private configureAll(nodeId: BrokerId | null): void {
    if (nodeId !== null && nodeId !== this.options.nodeId) return
    for (const [topicId] of this.options.cluster().topics) this.configure(topicId)
  }

  private refresh(place: Place, isNew: boolean): void {
    const wanted = this.wanted(place)
    const slot = this.table.slot(place.topicId, place.partition)
    if (slot !== undefined && slot !== "failed") this.assignRole(slot, wanted?.partition)
    if ((wanted === undefined) !== (slot === undefined)) this.later({ ...place, isNew })
  }

  private drop(topicId: TopicId): void {
    for (const [partition, slot] of this.table.drop(topicId).entries()) {
      if (slot !== undefined && slot !== "failed") slot.rest()
      if (slot !== undefined) this.later({ topicId, partition })
    }
  }

  private later({ topicId, partition, isNew = false }: Place): void {
    this.pending.set(keyOf({ topicId, partition }), { topicId, partition, isNew })
  }

  /** Does what is due, until nothing is. One place is never worked on twice at a time: a round ends before the next begins. */
  readonly work: Effect.Effect<void> = Effect.suspend(() => {
    const round = [...this.pending.values()]
    this.pending.clear()
    this.endOfRound()
    return round.length === 0
      ? Effect.void
      : Effect.zipRight(
          inLanes(round, concurrency, (place) => Effect.uninterruptible(this.settle(place))),
          this.work
        )
  })

  private settle(place: Place): Effect.Effect<void> {
    const isOpen = this.open.has(keyOf(place))
    if (this.wanted(place) === undefined) return this.remove(place)
    return isOpen ? Effect.void : this.take(place)
  }

  private take(place: Place): Effect.Effect<void> {
    const { options, store, checksum, clock } = this
    return Effect.gen(this, function* () {
      const before = this.wanted(place)
      if (before === undefined) return
      const { name } = before.topic
      const config = this.configOf(before.topic)
      const nodeConfig = options.config()
      const start = this.starts.of(place)
      const scope = yield* Scope.make()
      const owner = yield* store.open(place.topicId, place.partition, logConfig(config, place), place.isNew).pipe(
        Scope.extend(scope),
        Effect.flatMap((log) =>
          PartitionOwner.open(
            {
              topic: name,
              ...place,
              config,
              start,
              crc32c: checksum.crc32c,
              walkRecords: checksum.walkRecords,
              packing: options.packing,
              report: this.lines.say
            },
            log,
            { now: clock.unsafeCurrentTimeMillis(), producerExpirationMs: nodeConfig["producer.id.expiration.ms"] }
          )
        ),
        Effect.either
      )
      if (Either.isLeft(owner)) {
        yield* Scope.close(scope, Exit.void)
        return this.failed(name, place, owner.left)
      }
      if (this.failing.delete(keyOf(place))) this.say(`${name}-${place.partition} is open now.`)
      this.open.set(keyOf(place), { owner: owner.right, scope })
      // The image may have moved on while the files were opened.
      const now = this.wanted(place)
      if (now === undefined) return yield* this.remove(place)
      if (now.topic.configs !== before.topic.configs || options.config() !== nodeConfig) owner.right.configure(this.configOf(now.topic))
      this.table.set(name, place.topicId, place.partition, owner.right)
      this.assignRole(owner.right, now.partition)
    })
  }

  private failed(name: string, place: Place, { message, reason }: LogFault): void {
    if (this.wanted(place) === undefined) return
    if (!this.failing.has(keyOf(place))) this.say(`${name}-${place.partition} cannot be opened: ${message}`)
    // Damage is for a person to mend.
    if (reason !== "corrupt") this.failing.set(keyOf(place), place)
    this.table.set(name, place.topicId, place.partition, "failed")
  }

  /** What could not be opened is due again. */
  retry(): void {
    this.lines.turn()
    for (const place of this.failing.values()) this.later(place)
    if (this.pending.size > 0) this.signal.unsafeOffer(undefined)
  }

  private say(line: string): void {
    if (this.said++ < linesMax) this.options.report(line)
  }
  private endOfRound(): void {
    if (this.said > linesMax) this.options.report(`The same goes for ${this.said - linesMax} more partitions.`)
    this.said = 0
  }

  private close(place: Place): Effect.Effect<void> {
    const held = this.open.get(keyOf(place))
    if (held === undefined) return Effect.void
    this.open.delete(keyOf(place))
    held.owner.rest()
    return Scope.close(held.scope, Exit.void)
  }

  private remove(place: Place): Effect.Effect<void> {
    this.failing.delete(keyOf(place))
    this.starts.forget(place)
    return Effect.zipRight(this.close(place), this.store.remove(place.topicId, place.partition)).pipe(
      Effect.catchAll((fault) =>
        Effect.sync(() => this.options.report(`The log of the removed partition ${keyOf(place)} could not be deleted: ${fault.message}`))
      )
    )
  }

  begin(removed: ReadonlySet<TopicId>): Effect.Effect<void, LogFault> {
    return Effect.gen(this, function* () {
      // Without it records that were deleted would be seen again, so nothing is opened before it is read.
      yield* Effect.retry(
        Effect.tapError(this.starts.load, ({ message, reason }) =>
          Effect.sync(() => (reason === "corrupt" ? undefined : this.say(`No log is opened yet: ${message}`)))
        ),
        { schedule: Schedule.spaced(reopenMs), while: ({ reason }) => reason !== "corrupt" }
      )
      this.begun = true
      for (const topic of this.options.cluster().topics) {
        const [topicId, { partitions }] = topic
        for (let partition = 0; partition < partitions.length; partition++)
          if (this.wanted({ topicId, partition }) !== undefined) this.later({ topicId, partition })
      }
      const held = yield* Effect.orElseSucceed(this.store.list, () => [])
      // A log is deleted only where the journal says that its topic was removed. One that the journal never mentions is left to a person: it may be all that is left of something.
      for (const place of held) if (removed.has(place.topicId)) this.later(place)
      yield* this.work
    })
  }

  /** Clean end: what was appended for acks=1 is synced too, then the files are closed. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(
      [...this.open.values()],
      ({ owner }) => {
        owner.rest()
        return Effect.zipRight(Effect.ignore(owner.sync), this.close(owner))
      },
      { concurrency, discard: true }
    )
  )

  expire(): void {
    for (const owner of this.table.owners()) owner.expireProducers(this.clock.unsafeCurrentTimeMillis(), this.options.config()["producer.id.expiration.ms"])
  }
}

export const makeKeeper = (options: KeeperOptions): Effect.Effect<Keeper, never, LogStore | Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const runtime = yield* Effect.runtime<never>()
    const signal = yield* Queue.sliding<void>(1)
    const shelf = new Shelf(options, yield* LogStore, yield* Checksum, yield* Effect.clock, signal)
    yield* Effect.addFinalizer(() => shelf.end)
    const worker = Effect.forever(Effect.zipRight(Queue.take(signal), shelf.work))
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.sync(() => shelf.expire()),
        Schedule.spaced(expiryCheckMs)
      )
    )
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.sync(() => shelf.retry()),
        Schedule.spaced(reopenMs)
      )
    )
    const trimming = new Trimming({
      starts: shelf.starts,
      owners: () => shelf.table.owners(),
      clock: yield* Effect.clock,
      fork: (effect) => void Runtime.runFork(runtime)(effect, { scope }),
      report: options.report
    })
    const checkMs = options.config()["log.retention.check.interval.ms"]
    yield* Effect.forkScoped(Effect.delay(Effect.repeat(trimming.look, Schedule.spaced(checkMs)), Math.min(checkMs, firstCheckMs)))
    const flushing = new Flushing({ policy: options.config()["log.flush.policy"], owners: () => shelf.table.owners(), clock: yield* Effect.clock })
    yield* Effect.forkScoped(Effect.repeat(flushing.look, Schedule.spaced(flushCheckMs)))
    const cleaner = new Cleaner({
      config: options.config,
      owners: () => shelf.table.owners(),
      compression: options.packing,
      clock: yield* Effect.clock,
      report: options.report
    })
    if (options.config()["log.cleaner.enable"]) yield* Effect.forkScoped(cleaner.run)
    return {
      table: shelf.table,
      raise: (all) => trimming.raise(all),
      begin: (removed) => Effect.asVoid(Effect.zipRight(shelf.begin(removed), Effect.forkIn(worker, scope))),
      apply: (events) => shelf.apply(events),
      leaveOffline: () => shelf.leaveOffline(),
      rest: () => shelf.rest()
    }
  })
