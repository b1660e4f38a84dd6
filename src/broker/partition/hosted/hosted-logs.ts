import { type Clock, Effect, Either, Queue, Schedule, Scope } from "effect"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import type { LogFault, LogStore } from "../../../ports/log-store.ts"
import { RateLimitedLog } from "../../../ports/rate-limited-log.ts"
import type { BrokerContext } from "../../broker-context.ts"
import { type DisownedReplicas, isVouchedFor } from "../../disowned-replicas.ts"
import type { LostRecords } from "../../lost-records.ts"
import type { MadeLogs } from "../../made-logs.ts"
import type { RecordCodecs } from "../leading/leading.ts"
import { logConfig } from "../replica/log-config.ts"
import { Replica } from "../replica/replica.ts"
import { ReplicationQuota } from "../replica/replication-quota.ts"
import type { ReplicationServices } from "../replica/replication-services.ts"
import { keyOf, type TopicIdPartition } from "../topic-id-partition.ts"
import { HighWatermarks } from "../upkeep/high-watermarks.ts"
import { LogStarts } from "../upkeep/log-starts.ts"
import { UnwritableDirectories } from "../upkeep/unwritable-directories.ts"
import { DirectoryMoves } from "./directory-moves.ts"
import { inLanes } from "./lanes.ts"
import { nearTo } from "./near-to.ts"
import { closeFiles, NewLogs, type OpenedLog } from "./new-logs.ts"
import { type ReplicaSignals, wakeLooks } from "./replica-signals.ts"
import { type Placed, Roles } from "./roles.ts"
import { setStraysAside } from "./strays.ts"
import { PartitionTable } from "./table.ts"
import { TopicSettings } from "./topic-settings.ts"

/** A partition whose log is due to be opened or removed. */
interface Due extends TopicIdPartition {
  /** It was placed here while this process followed the journal: no directory has a log of it, not even one that cannot be read. */
  readonly isNew?: boolean
}

/** What opening a log needs. */
interface OpeningServices {
  readonly context: BrokerContext["Type"]
  readonly store: LogStore["Type"]
  readonly codecs: RecordCodecs
  readonly clock: Clock.Clock
  readonly signals: ReplicaSignals
  readonly disowned: DisownedReplicas["Type"]
  readonly lost: LostRecords["Type"]
  readonly made: MadeLogs["Type"]
}

/** Logs opened or removed at a time: to open one reads the tail of a file and waits for a directory sync. */
const concurrency = 8
/** How often logs that could not be opened are tried again, ms: the disk may have room by then, or the process descriptors. */
export const reopenMs = 10_000
/** Lines of one round that name a partition which cannot be opened. A failing disk may hold thousands of them: the others are counted. */
const linesOfRoundMax = 5
const nanosPerMs = 1_000_000n
/** Lines of the replicas in `reopenMs`; the others are counted. */
const linesMax = 10

/** The open logs of this broker, kept as the image says: opened where a partition is placed here, closed and removed where its topic is removed. */
export class HostedLogs {
  readonly table: PartitionTable
  readonly starts: LogStarts
  readonly highWatermarks: HighWatermarks
  readonly roles: Roles
  readonly settings: TopicSettings
  readonly unwritable: UnwritableDirectories
  /** Moves of replicas to other data directories. */
  readonly moves: DirectoryMoves
  /** Lines of the replicas: a full disk holds thousands of them, and each reports that its appends fail, and that they work again. */
  private readonly lines = new RateLimitedLog({ intervalMs: reopenMs, linesPerKeyMax: linesMax, keysMax: 1 })
  private readonly due = new Map<string, Due>()
  private readonly open = new Map<string, { readonly replica: Replica; readonly scope: Scope.CloseableScope }>()
  /** Logs that could not be opened for a reason that may pass. */
  private readonly failing = new Map<string, Due>()
  /** Partitions that were placed here in this life, and whose logs were not opened yet. */
  private readonly fresh = new Set<string>()
  private readonly newLogs: NewLogs
  /** Replicas that were closed for a moment: their logs refuse work that was under way, and are not lost. */
  private readonly left = new WeakSet<object>()
  private linesOfRound = 0
  private readonly replication: ReplicationServices

  constructor(
    private readonly services: OpeningServices,
    private readonly signal: Queue.Queue<void>
  ) {
    const { clock, context, disowned, lost, made, signals, store } = services
    this.newLogs = new NewLogs(made, context.cluster, concurrency)
    const elapsed = () => Number(clock.unsafeCurrentTimeNanos() / nanosPerMs)
    this.replication = {
      nodeId: context.nodeId,
      elapsed,
      leaderQuota: new ReplicationQuota("leader.replication.throttled.replicas", () => context.config()["leader.replication.throttled.rate"], elapsed),
      now: () => clock.unsafeCurrentTimeMillis(),
      producerExpirationMs: () => context.config()["producer.id.expiration.ms"],
      countsUnsynced: context.config()["log.flush.policy"] === "interval",
      nearTo: nearTo(context),
      propose: (partition) => {
        const opened = this.open.get(keyOf(partition))
        if (opened !== undefined) signals.proposing.add(opened.replica)
        signals.proposals.unsafeOffer(undefined)
      },
      followed: () => this.regroupFollowers(),
      logSettled: (of) => {
        const opened = this.open.get(keyOf(of))
        if (opened !== undefined) this.roles.assign(opened.replica, this.roles.placedHere(of)?.partition)
      },
      internalRoleChanged: () => void signals.internalRoles.unsafeOffer(undefined),
      lost: (partition, reason) => {
        if (this.left.has(partition)) return
        disowned.add(partition, reason)
        // Where the cluster does not count on the log, no event follows from the report.
        if (reason !== "damage") return
        this.mark(partition)
        this.wake()
      },
      faulty: (partition, fault) => this.unwritable.noted(partition, fault),
      isUnwritable: disowned.isUnwritable,
      dropStart: (partition) => this.starts.drop(partition),
      highWatermarkFell: Effect.suspend(() => this.highWatermarks.save(this.replicas())),
      recordsLost: lost.add
    }
    this.unwritable = new UnwritableDirectories({ directories: store.directories, disowned, report: this.report })
    this.moves = new DirectoryMoves({
      moves: store.moves,
      bytesPerSecondMax: () => context.config()["replica.alter.log.dirs.io.max.bytes.per.second"],
      ready: (of) => {
        this.mark(of)
        this.wake()
      },
      warn: context.warn
    })
    this.table = new PartitionTable(context.cluster)
    this.starts = new LogStarts(store, (replica) => this.open.get(keyOf(replica))?.replica ?? replica)
    this.highWatermarks = new HighWatermarks(store)
    this.roles = new Roles(context)
    this.settings = new TopicSettings(context, this.table)
  }

  /** Those that are open. */
  *replicas(): Iterable<Replica> {
    for (const { replica } of this.open.values()) yield replica
  }

  /** Marks the log as due: to be opened if the partition is placed here, else to be removed. `wake` starts the work. */
  mark({ topicId, partition, isNew = false }: Due): void {
    const key = keyOf({ topicId, partition })
    if (isNew) this.fresh.add(key)
    this.due.set(key, { topicId, partition, isNew: this.fresh.has(key) })
  }
  wake(): void {
    if (this.due.size > 0) this.signal.unsafeOffer(undefined)
  }

  /** Followers have other leaders, or other fetchers. */
  regroupFollowers(): void {
    this.services.signals.follows.unsafeOffer(undefined)
  }

  /** Does what is due until nothing is. A round ends before the next begins, so that no log is opened and removed at the same time. */
  readonly work: Effect.Effect<void> = Effect.suspend(() => {
    const round = [...this.due.values()]
    this.due.clear()
    this.endRound()
    return round.length === 0
      ? Effect.void
      : Effect.zipRight(
          inLanes(round, concurrency, (each) => Effect.uninterruptible(this.settle(each))),
          Effect.zipRight(
            this.newLogs.settle(
              (opened) => this.serve(opened),
              ({ of, placed }, fault) => this.failed(placed, of, fault)
            ),
            this.work
          )
        )
  })

  /** Works whenever `wake` is called. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => Effect.forever(Effect.zipRight(Queue.take(this.signal), this.work)))

  /**
   * Reads where logs start, then opens what is placed here and deletes the logs of removed topics, and of partitions that have other replicas. A log that the journal never mentions stays: it may be all that is left of a
   * topic. Where the image began with a snapshot of the leader, it is renamed: its topic may have been removed by an event that was trimmed. Fails "corrupt" where the starts cannot be read: deleted records would be readable again.
   */
  begin(removed: ReadonlySet<TopicId>, hasGaps = false): Effect.Effect<void, LogFault> {
    const { context, made, store } = this.services
    return Effect.gen(this, function* () {
      yield* Effect.retry(
        Effect.tapError(this.starts.load, ({ message, reason }) =>
          Effect.sync(() => (reason === "corrupt" ? undefined : this.say(`No log is opened yet: ${message}`)))
        ),
        { schedule: Schedule.spaced(reopenMs), while: ({ reason }) => reason !== "corrupt" }
      )
      yield* this.highWatermarks.load
      yield* Effect.suspend(() => made.begin(context.cluster()))
      this.roles.begin()
      for (const [topicId, { partitions }] of context.cluster().topics)
        for (let partition = 0; partition < partitions.length; partition++)
          if (this.roles.placedHere({ topicId, partition }) !== undefined) this.mark({ topicId, partition, isNew: made.isUnmade({ topicId, partition }) })
      const stored = yield* Effect.orElseSucceed(store.list, () => [])
      // A reassignment may have ended, and a topic may have been removed, while this broker was down (KAFKA-13972).
      for (const each of stored) if (removed.has(each.topicId) || this.roles.isElsewhere(each)) this.mark(each)
      if (hasGaps)
        yield* setStraysAside(
          store,
          context.cluster(),
          stored.filter(({ topicId }) => !removed.has(topicId))
        )
      yield* this.work
      yield* this.moves.again((of) => this.open.get(keyOf(of))?.replica.topic)
    })
  }

  /** Logs that could not be opened are due again. */
  retry(): void {
    this.warnAll(this.lines.summaries(this.services.clock.unsafeCurrentTimeMillis()))
    for (const each of this.failing.values()) this.mark(each)
    this.wake()
  }

  /** Clean end: syncs what was appended for acks=1 too, then closes the files. Returns whether every log was synced, but for those that are damaged. */
  readonly end: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.zipRight(
      Effect.zipRight(Effect.zipRight(this.moves.end, this.newLogs.end), this.highWatermarks.save(this.replicas())),
      Effect.map(
        Effect.forEach(
          [...this.open.values()],
          ({ replica }) => {
            replica.stopLeading()
            return Effect.zipLeft(
              Effect.map(Effect.isSuccess(replica.sync), (isSynced) => isSynced || replica.isDamaged),
              this.close(replica)
            )
          },
          { concurrency }
        ),
        (synced) => synced.every((each) => each)
      )
    )
  )

  private settle(due: Due): Effect.Effect<void> {
    const placed = this.roles.placedHere(due)
    if (placed === undefined) return this.remove(due)
    const held = this.open.get(keyOf(due))
    if (held === undefined) return this.openLog(due)
    if (held.replica.isDamaged && this.isSpare(placed) && this.services.disowned.isForgotten(due)) return this.copyAnew(due, placed)
    return this.moves.isReady(due) ? this.changeDirectory(due, placed, held.replica) : Effect.void
  }

  /** Closes a replica, and opens it from the directory that its log was copied to. Clients get NOT_LEADER_OR_FOLLOWER meanwhile, and ask again. */
  private changeDirectory(due: Due, { topic }: Placed, replica: Replica): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      // The high watermark of the next leadership would not wait for a set that may still be committed. The move asks again.
      if (replica.replication?.proposal !== undefined || !this.moves.close(due)) return
      this.left.add(replica)
      this.table.set(topic.name, due.topicId, due.partition, undefined)
      replica.stopLeading()
      yield* replica.followed.settled
      this.highWatermarks.keep(replica)
      yield* this.close(due)
      yield* this.moves.place(due, () => this.unwritable.left(due), this.openLog(due))
    })
  }

  /** Whether the cluster does not count on the log here: other replicas have all that is committed. */
  private isSpare({ partition }: Placed): boolean {
    return partition.replicas.length > 1 && !isVouchedFor(partition, this.services.context.nodeId)
  }

  /** Closes a damaged log and sets it aside. The new one follows the partition's leader from its first record on. */
  private copyAnew(due: Due, placed: Placed): Effect.Effect<void> {
    this.table.set(placed.topic.name, due.topicId, due.partition, undefined)
    return Effect.zipRight(Effect.zipRight(this.moves.cancel(due), this.close(due)), Effect.zipRight(this.setAside(due, placed), this.openLog(due)))
  }

  /** Sets a damaged log aside, for the operator. Returns whether there was one. */
  private setAside(due: Due, { topic }: Placed): Effect.Effect<boolean> {
    return Effect.match(this.services.store.setAside(due.topicId, due.partition), {
      onSuccess: (paths) => {
        if (paths.length === 0) return false
        this.say(
          `${topic.name}-${due.partition}: the damaged log was set aside as ${paths.join(", ")}, and the replica is copied again from the partition's leader. Remove that directory when you do not need it.`
        )
        return true
      },
      onFailure: ({ message }) => {
        this.say(`${topic.name}-${due.partition}: the damaged log could not be set aside: ${message}`)
        return false
      }
    })
  }

  private openLog(due: Due): Effect.Effect<void> {
    const { context } = this.services
    return Effect.gen(this, function* () {
      const before = this.roles.placedHere(due)
      if (before === undefined) return this.mark(due)
      const nodeConfig = context.config()
      const scope = yield* Scope.make()
      const opened = yield* Effect.either(Scope.extend(this.openReplica(due, before), scope))
      if (Either.isLeft(opened)) {
        yield* closeFiles({ scope })
        if (opened.left.reason === "corrupt" && this.isSpare(before) && (yield* this.setAside(due, before))) return yield* this.openLog(due)
        return yield* this.failed(before, due, opened.left)
      }
      const held = { of: due, replica: opened.right, scope, placed: before, nodeConfig }
      if (!this.newLogs.add(held)) yield* this.serve(held)
    })
  }

  private serve({ nodeConfig, of, placed, replica, scope }: OpenedLog): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { name } = placed.topic
      if (this.failing.delete(keyOf(of))) this.say(`${name}-${of.partition} is open now.`)
      this.open.set(keyOf(of), { replica, scope })
      // Its start may have been raised while the files were opened.
      replica.raiseStart(Math.min(this.starts.of(of), replica.end()))
      this.fresh.delete(keyOf(of))
      this.services.disowned.forget(of)
      // The image may have changed while the files were opened. The removal waits for the end of a move, which ends only when its log is open.
      const now = this.roles.placedHere(of)
      if (now === undefined) return Effect.sync(() => this.mark(of))
      if (now.topic.configs !== placed.topic.configs || this.services.context.config() !== nodeConfig) replica.configure(this.settings.of(now.topic))
      this.table.set(name, of.topicId, of.partition, replica)
      this.roles.assign(replica, now.partition)
      wakeLooks(this.services.signals)
      return Effect.void
    })
  }

  private openReplica(due: Due, { partition: placed, topic }: Placed): Effect.Effect<Replica, LogFault, Scope.Scope> {
    const { clock, codecs, context, store } = this.services
    const { topicId, partition } = due
    const config = this.settings.of(topic)
    const isReplicated = placed.replicas.length > 1
    const { replication, report } = this
    const offsets = { start: this.starts.of(due), checkpointed: this.highWatermarks.of(due) }
    const options = { topic: topic.name, topicId, partition, config, ...offsets, codecs, report, bug: context.bug, replication, isReplicated }
    const derivation = { now: clock.unsafeCurrentTimeMillis(), producerExpirationMs: context.config()["producer.id.expiration.ms"] }
    // The cluster counts on what the log has: an empty log in its place might lead, and take the records from the others (KAFKA-14139).
    const wasThere = isReplicated && due.isNew !== true && isVouchedFor(placed, context.nodeId)
    return Effect.flatMap(store.open(topicId, partition, { ...logConfig(config, due), wasThere }, due.isNew), (log) => Replica.open(options, log, derivation))
  }

  private failed({ partition: placed, topic }: Placed, due: Due, fault: LogFault): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { message, reason } = fault
      this.unwritable.noted(due, fault)
      if (this.roles.placedHere(due) === undefined) return
      const isSaid = this.failing.has(keyOf(due)) || this.table.slot(due.topicId, due.partition) === "failed"
      if (!isSaid) this.say(`${topic.name}-${due.partition} cannot be opened: ${message}`)
      // The operator repairs damage; to open the log again would find the same.
      if (reason !== "corrupt") this.failing.set(keyOf(due), due)
      this.table.set(topic.name, due.topicId, due.partition, "failed")
      if (placed.replicas.length === 1 || (reason !== "corrupt" && reason !== "offline")) return
      const stored = yield* Effect.orElseSucceed(this.services.store.list, () => [])
      const isStored = stored.some(({ partition, topicId }) => topicId === due.topicId && partition === due.partition)
      this.services.disowned.add(due, reason === "offline" ? "disk" : isStored ? "damage" : "missing")
    })
  }

  private close(of: TopicIdPartition): Effect.Effect<void> {
    const held = this.open.get(keyOf(of))
    if (held === undefined) return Effect.void
    this.open.delete(keyOf(of))
    held.replica.stopLeading()
    return closeFiles(held)
  }

  private remove(of: TopicIdPartition): Effect.Effect<void> {
    this.failing.delete(keyOf(of))
    this.fresh.delete(keyOf(of))
    this.services.disowned.forget(of)
    this.starts.forget(of)
    this.table.clear(of.topicId, of.partition)
    return Effect.zipRight(Effect.zipRight(this.moves.cancel(of), this.close(of)), this.services.store.remove(of.topicId, of.partition)).pipe(
      Effect.catchAll((fault) =>
        Effect.sync(() => this.services.context.warn(`The log of the removed partition ${keyOf(of)} could not be deleted: ${fault.message}`))
      )
    )
  }

  private warnAll(lines: ReadonlyArray<string>): void {
    for (const line of lines) this.services.context.warn(line)
  }
  private readonly report = (line: string): void => this.warnAll(this.lines.admit("partition", line, this.services.clock.unsafeCurrentTimeMillis()))

  private say(line: string): void {
    if (this.linesOfRound++ < linesOfRoundMax) this.services.context.warn(line)
  }
  private endRound(): void {
    if (this.linesOfRound > linesOfRoundMax) this.services.context.warn(`The same goes for ${this.linesOfRound - linesOfRoundMax} more partitions.`)
    this.linesOfRound = 0
  }
}
