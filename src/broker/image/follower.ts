import { type Context, Deferred, Effect, Either, FiberId, HashMap } from "effect"
import { changesBetween } from "../../../domain/cluster/changes.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { clusterFold } from "../../../domain/cluster/fold.ts"
import { type Cluster, type Partition, topicById } from "../../../domain/cluster/state.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { BrokerId, TopicId } from "../../../domain/kernel/id.ts"
import { type RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import { decodeRecords, type Record } from "../../../domain/log/record.ts"
import type { Checksum } from "../../ports/checksum.ts"
import { runSteps } from "../../ports/event-loop.ts"
import type { LogStore } from "../../ports/log-store.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import { StreamFold } from "../../stream/stream-fold.ts"
import type { CallFault } from "../../wire/fault.ts"
import type { Link } from "../../wire/link.ts"
import { BrokerFault, type LeaderRefused, leaderRefused } from "../fault.ts"
import type { LeaderContact } from "../leader-contact.ts"
import type { MadeLogs } from "../made-logs.ts"
import type { BatchIdentity, ImageCheckpoint } from "./checkpoint-form.ts"
import { leaveAside } from "./image-checkpoints.ts"
import { clusterOfSnapshot, type LeaderSnapshotId, readLeaderSnapshot, shortReason } from "./leader-snapshot.ts"

/** How long a fetch waits at the leader for the next event, ms. */
const waitMs = 5000
/** Journal bytes read at a time, so that a long replay lets the event loop serve others in between. */
const bytesMax = 262_144
/** How often the same events may arrive damaged, each time over a new connection, before this broker stops. */
const damagedMax = 5

const noBytes = new Uint8Array(0)
const utf8 = new TextDecoder()

/** What the follower of the leader's journal needs. */
interface FollowerOptions {
  readonly nodeId: number
  readonly contact: LeaderContact["Type"]
  readonly store: Context.Tag.Service<typeof LogStore>
  readonly checksum: Context.Tag.Service<typeof Checksum>
  readonly made: Pick<MadeLogs["Type"], "placed" | "resumed" | "unmadeSince">
  /** Events were folded: with how many bytes they arrived. */
  readonly folded: (events: ReadonlyArray<Event>, bytes: number) => Effect.Effect<void>
}

const identityOf = ({ baseOffset, crc, partitionLeaderEpoch }: RecordBatch): BatchIdentity => ({ baseOffset, leaderEpoch: partitionLeaderEpoch, crc })

/**
 * Follows the leader's journal by long-polling Fetch requests and folds it. With a checkpoint it begins at the last
 * event of that: only where the leader's journal has the very batch that holds it, the checkpoint is the fold of this
 * journal, and is used.
 */
export class Follower {
  private fold = new StreamFold<Cluster, Event>(metadataTopic, clusterFold)
  /** The batch whose last event is the last of the image; undefined before the first, and while a batch is folded. */
  private last: BatchIdentity | undefined
  /** How often what follows `damagedAt` arrived damaged, one time after the other. */
  private damagedCount = 0
  private damagedAt = -1
  /** Every event that the leader had when it was first asked is folded. */
  hasCaughtUp = false
  /** The image began with a snapshot of the leader: what was removed before is not known. */
  hasGaps = false
  /** The key of the record before, and its text: journals have runs of the same. */
  private readonly before: { key: Uint8Array; type: string } = { key: noBytes, type: "" }
  readonly removed = new Set<TopicId>()
  readonly listeners = new Set<() => void>()
  readonly founded = Deferred.unsafeMake<string>(FiberId.none)
  readonly caughtUp = Deferred.unsafeMake<void>(FiberId.none)

  constructor(
    private readonly options: FollowerOptions,
    /** Not used yet: the leader must show that it has the same journal. */
    private checkpoint: ImageCheckpoint | undefined
  ) {}

  get cluster(): Cluster {
    return this.fold.state
  }
  /** No event is folded yet. */
  get isEmpty(): boolean {
    return this.fold.end === 0
  }
  /** The image as a checkpoint has it; undefined while it has no event. */
  readonly image = (): ImageCheckpoint | undefined =>
    this.last === undefined ? undefined : { cluster: this.cluster, last: this.last, removed: [...this.removed], unmade: this.options.made.unmadeSince() }

  /** One connection's life: fetch, fold, fetch. */
  readonly over = (link: Link): Effect.Effect<never, CallFault | LeaderRefused | BrokerFault> =>
    Effect.zipRight(this.options.contact.introduce(link), Effect.forever(Effect.suspend(() => this.step(link))))

  private step(link: Link): Effect.Effect<void, CallFault | LeaderRefused | BrokerFault> {
    return Effect.flatMap(link.call(Fetch, this.request(), { timeoutMs: waitMs + this.options.contact.responseTimeoutMs }), (answer) => this.take(answer, link))
  }

  private request(): RequestDraft<typeof Fetch> {
    const { checkpoint } = this
    const from = checkpoint === undefined ? this.fold.end : checkpoint.cluster.index - 1
    return {
      clusterId: (checkpoint?.cluster ?? this.cluster).clusterId ?? null,
      // The last event of a checkpoint is there, or the leader's journal is shorter. What follows a snapshot is there, or nothing is.
      maxWaitMs: checkpoint === undefined && (this.hasCaughtUp || this.fold.end === 0) ? waitMs : 0,
      minBytes: 1,
      maxBytes: bytesMax,
      topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: bytesMax }] }]
    }
  }

  private take(answer: ResponseOf<typeof Fetch>, link: Link): Effect.Effect<void, CallFault | LeaderRefused | BrokerFault> {
    const partition = answer.responses[0]?.partitions[0]
    const error = kafkaError(answer.errorCode === 0 ? (partition?.errorCode ?? 0) : answer.errorCode)
    const { host, port } = this.options.contact.leader()
    const address = `${host}:${port}`
    if (error === "INCONSISTENT_CLUSTER_ID")
      return this.foreign(`The node at ${address} leads another cluster than ${(this.checkpoint?.cluster ?? this.cluster).clusterId}.`)
    const snapshotId = partition?.snapshotId
    if (error === "OFFSET_OUT_OF_RANGE")
      return snapshotId !== undefined && snapshotId.endOffset > 0n ? this.beginAnew(link, snapshotId) : this.outOfRange(address)
    if (error !== "NONE" || partition === undefined) return leaderRefused(`The node at ${address} does not give its journal: ${error}. Is it the leader?`)
    return this.receive(partition.records ?? noBytes, Number(partition.highWatermark))
  }

  private outOfRange(address: string): Effect.Effect<void, LeaderRefused | BrokerFault> {
    if (this.checkpoint !== undefined)
      return this.forget(`the journal of the leader at ${address} does not have its last event, ${this.checkpoint.cluster.index - 1}`)
    // One of several candidates may be a leader that is over. The broker takes nothing from it.
    if (this.options.contact.hasCandidates)
      return leaderRefused(
        `The leader at ${address} does not have event ${this.fold.end}, which comes next here: it leads no more, or its engine was restored from an older backup. This broker looks for another.`
      )
    return Effect.fail(
      new BrokerFault({
        kind: "lost events",
        message: `The journal of the leader at ${address} does not have event ${this.fold.end}, which comes next here: it was replaced by another or an older one. Give the leader its own data directory back, then start this broker again.`
      })
    )
  }

  /** The journal begins after what this broker reads next: its image continues with the leader's snapshot. */
  private beginAnew(link: Link, id: LeaderSnapshotId): Effect.Effect<void, CallFault | LeaderRefused | BrokerFault> {
    const { checksum, contact } = this.options
    return Effect.gen(this, function* () {
      const value = yield* readLeaderSnapshot(link, id, contact.responseTimeoutMs, checksum.crc32c)
      const read = yield* runSteps(clusterOfSnapshot(value))
      if (Either.isLeft(read))
        return yield* new BrokerFault({
          kind: "unreadable event",
          message: `${metadataTopic}: the leader's snapshot at ${id.endOffset} cannot be read by this version: ${shortReason(read.left)}. Start a version that knows it.`
        })
      yield* this.install(read.right)
    })
  }

  /**
   * Takes the leader's snapshot for the image. Topics of the image so far that it lacks were removed meanwhile. Of a
   * checkpoint that was not compared with the journal nothing is concluded.
   */
  private install(cluster: Cluster): Effect.Effect<void, LeaderRefused | BrokerFault> {
    const known = (this.checkpoint?.cluster ?? this.cluster).clusterId
    const { clusterId } = cluster
    if (clusterId === undefined) return leaderRefused(`${metadataTopic}: the leader's snapshot at ${cluster.index} names no cluster.`)
    if (known !== undefined && known !== clusterId)
      return this.foreign(`The leader's snapshot is of cluster ${clusterId}, and this broker belongs to ${known}.`)
    if (cluster.index <= this.fold.end) return leaderRefused(`${metadataTopic}: the leader's snapshot at ${cluster.index} is behind event ${this.fold.end}.`)
    return Effect.gen(this, function* () {
      yield* this.claim(clusterId)
      const before = this.cluster
      // Before the logs are opened there is nothing that could react.
      const changes = this.hasCaughtUp ? changesBetween(before, cluster) : []
      this.checkpoint = undefined
      this.fold = new StreamFold<Cluster, Event>(metadataTopic, clusterFold, { state: cluster, index: cluster.index })
      this.last = undefined
      this.hasGaps = true
      for (const topicId of HashMap.keys(before.topics)) if (topicById(cluster, topicId) === undefined) this.removed.add(topicId)
      this.notePlaced(before, cluster)
      yield* Effect.logInfo(`The image of the cluster continues with the leader's snapshot at event ${cluster.index}: the journal was trimmed.`)
      this.options.contact.learn(cluster.leader?.epoch ?? -1)
      yield* this.options.folded(changes, 0)
    })
  }

  /**
   * Which logs were never made. An image that had caught up has shown all that was placed before, to this process and to
   * those before it: what the snapshot has besides was placed since. Without one that is not known.
   */
  private notePlaced(before: Cluster, { index, topics }: Cluster): void {
    const { made } = this.options
    if (!this.hasCaughtUp) return made.resumed(index, undefined)
    for (const [topicId, { partitions }] of topics)
      for (let partition = topicById(before, topicId)?.partitions.length ?? 0; partition < partitions.length; partition++) {
        const { isr, replicas } = partitions.at(partition) as Partition
        made.placed({ topicId, partition, isr, replicas: replicas as readonly [BrokerId, ...ReadonlyArray<BrokerId>] }, index - 1)
      }
  }

  private forget(reason: string): Effect.Effect<void> {
    this.checkpoint = undefined
    return leaveAside(reason)
  }

  private receive(bytes: Uint8Array, highWatermark: number): Effect.Effect<void, LeaderRefused | BrokerFault> {
    const read = readableBatches(bytes)
    if (Either.isLeft(read)) return this.damaged(read.left.message)
    const batches = read.right
    return this.checkpoint === undefined ? this.foldAll(batches, bytes.length, highWatermark) : this.resume(this.checkpoint, batches, highWatermark)
  }

  /** Begins with a checkpoint, if the first batch is the one that holds its last event. */
  private resume(checkpoint: ImageCheckpoint, batches: ReadonlyArray<RecordBatch>, highWatermark: number): Effect.Effect<void, LeaderRefused | BrokerFault> {
    const { cluster, last, removed, unmade } = checkpoint
    const [first] = batches
    if (first === undefined)
      return highWatermark < cluster.index
        ? this.forget(`the leader's journal ends with event ${highWatermark - 1}, it with ${cluster.index - 1}`)
        : Effect.void
    const wrong = verify(first, this.options.checksum.crc32c)
    if (wrong !== undefined) return this.damaged(`${wrong.message} (offset ${first.baseOffset})`)
    const found = identityOf(first)
    if (found.baseOffset !== last.baseOffset || found.crc !== last.crc || found.leaderEpoch !== last.leaderEpoch || first.nextOffset !== cluster.index)
      return this.forget(`event ${cluster.index - 1} of the leader's journal is another than the one it ends with`)
    return Effect.suspend(() => {
      this.checkpoint = undefined
      this.fold = new StreamFold<Cluster, Event>(metadataTopic, clusterFold, { state: cluster, index: cluster.index })
      this.last = last
      for (const topicId of removed) this.removed.add(topicId)
      this.options.made.resumed(cluster.index, unmade)
      return Effect.gen(this, function* () {
        yield* Effect.logDebug(`The image of the cluster begins with the checkpoint at event ${cluster.index}.`)
        if (cluster.clusterId !== undefined) yield* this.claim(cluster.clusterId)
        for (const listener of this.listeners) listener()
        yield* this.foldAll(batches.slice(1), 0, highWatermark)
      })
    })
  }

  private foldAll(batches: ReadonlyArray<RecordBatch>, bytes: number, highWatermark: number): Effect.Effect<void, LeaderRefused | BrokerFault> {
    const events: Array<Event> = []
    // The events before the damage are not fetched again, so that listeners are told of them here.
    const until = (fault: Effect.Effect<never, LeaderRefused | BrokerFault>) => Effect.zipRight(this.after(events, bytes, Number.POSITIVE_INFINITY), fault)
    for (const batch of batches) {
      const records = this.records(batch)
      if (Either.isLeft(records)) return until(records.left)
      this.last = undefined
      for (const record of records.right) {
        // A batch may begin before the event that was asked for.
        if (record.offset < this.fold.end) continue
        const event = this.fold.take({ index: record.offset, type: this.typeOf(record), value: record.value ?? noBytes, commandId: "" })
        if (Either.isLeft(event)) return until(Effect.fail(new BrokerFault({ kind: "unreadable event", message: event.left.message })))
        if (event.right === undefined) continue
        if (event.right._tag === "TopicRemoved") this.removed.add(event.right.topicId)
        if (event.right._tag === "PartitionPlaced") this.options.made.placed(event.right, record.offset)
        events.push(event.right)
      }
      if (batch.nextOffset === this.fold.end) this.last = identityOf(batch)
    }
    return Effect.suspend(() => this.after(events, bytes, highWatermark))
  }

  /** Returns the name of the event that a record holds. */
  private typeOf({ key }: Record): string {
    if (key === null) return ""
    if (!isSame(key, this.before.key)) {
      this.before.key = key.slice()
      this.before.type = utf8.decode(key)
    }
    return this.before.type
  }

  /**
   * Damage in transit is gone with its connection. The same events damaged over several connections are damaged at the
   * leader.
   */
  private damaged(what: string): Effect.Effect<never, LeaderRefused | BrokerFault> {
    return Effect.suspend((): Effect.Effect<never, LeaderRefused | BrokerFault> => {
      const { host, port } = this.options.contact.leader()
      const index = this.checkpoint?.cluster.index ?? this.fold.end
      this.damagedCount = this.damagedAt === index ? this.damagedCount + 1 : 1
      this.damagedAt = index
      const message = `${metadataTopic}: the journal of the leader at ${host}:${port} came damaged after event ${index - 1}: ${what}.`
      if (this.damagedCount < damagedMax) return leaderRefused(message)
      return Effect.fail(
        new BrokerFault({
          kind: "damaged data",
          message: `${message} It did so ${damagedMax} times, so it is damaged there: stop the leader, see with \`franz log verify DIR\` on its data directory what is wrong, and restore that from a copy. Then start this broker again.`
        })
      )
    })
  }

  private records(batch: RecordBatch): Either.Either<ReadonlyArray<Record>, Effect.Effect<never, LeaderRefused | BrokerFault>> {
    const wrong = verify(batch, this.options.checksum.crc32c)
    const records = wrong === undefined ? decodeRecords(batch, batch.records) : Either.left(wrong)
    return Either.mapLeft(records, ({ message }) => this.damaged(`${message} (offset ${batch.baseOffset})`))
  }

  private after(events: ReadonlyArray<Event>, bytes: number, highWatermark: number): Effect.Effect<void, BrokerFault> {
    const founded = events.find((event) => event._tag === "ClusterFounded")
    return Effect.gen(this, function* () {
      if (founded !== undefined) yield* this.claim(founded.clusterId)
      this.options.contact.learn(this.cluster.leader?.epoch ?? -1)
      const isCaughtUp = this.fold.end >= highWatermark && this.cluster.clusterId !== undefined
      if (isCaughtUp) this.hasCaughtUp = true
      if (events.length > 0) yield* this.options.folded(events, bytes)
      if (isCaughtUp) yield* Deferred.succeed(this.caughtUp, undefined)
    })
  }

  /** Claims the data directories for this cluster. Where they belong to another, nothing in them is touched. */
  private claim(clusterId: string): Effect.Effect<void, BrokerFault> {
    return this.options.store.claim({ clusterId, nodeId: this.options.nodeId }).pipe(
      Effect.catchTags({
        ForeignDirectory: ({ message }) => this.foreign(message),
        LogFault: ({ message }) => Effect.fail(new BrokerFault({ kind: "storage", message }))
      }),
      Effect.zipRight(Deferred.succeed(this.founded, clusterId)),
      Effect.asVoid
    )
  }

  private foreign(message: string): Effect.Effect<never, BrokerFault> {
    return Effect.fail(new BrokerFault({ kind: "foreign cluster", message }))
  }
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean => {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}
