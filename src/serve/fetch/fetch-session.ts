import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import { type Steps, Stride } from "../../wire/sliced.ts"
import type { TopicRef } from "../cluster/current-leader.ts"
import type { FindReadable, ReadablePartition } from "../readable.ts"
import { type FetchRequest, limitOf, type PartitionRequest, type PartitionResponse } from "./fetch-pass.ts"
import type { Source } from "./source.ts"

/** The first version that names topics by id alone (KIP-516). */
export const topicIdsSince = 13

/** Returns the next epoch. It skips 0, which opens a session. */
export const nextEpoch = (epoch: number): number => (epoch === 0x7fff_ffff ? 1 : epoch + 1)

/** A topic of a session, as its client names it. */
interface SessionTopic {
  readonly topic: string
  readonly topicId: string
  readonly ref: TopicRef
  readonly partitions: Map<number, SessionPartition>
}

/** One partition of a session: the client's request, and the last response about it. */
export class SessionPartition implements PartitionRequest {
  from: Offset = 0
  bytesMax = 0
  epoch: Epoch = -1
  isHeld = false
  lastEpoch: Epoch = -1
  logStart: Offset = -1
  /** As in the last response; -1 after an error, so that the response after the error has it again. */
  private highWatermark = -1n
  private toldStart = -1n
  /** The next response has to read it. The other partitions have nothing new. */
  isDue = false
  /**
   * A replica was given records, an error, or where its log leaves this one. It has to act on that, and names the partition then. Requests that it sends
   * meanwhile, for other partitions, are not answered with the same again.
   */
  private isGiven = false
  /** Kept while a Fetch of the session waits: the bytes that were appended since. */
  source: Source | undefined
  private readable: ReadablePartition | undefined
  private stop: (() => void) | undefined

  constructor(
    private readonly session: FetchSession,
    readonly topic: SessionTopic,
    readonly index: number,
    /** Its position among the others: the smallest is read first. */
    public turn: number
  ) {}

  get ref(): TopicRef {
    return this.topic.ref
  }

  ask({ bytesMax, epoch, from, lastEpoch, logStart }: PartitionRequest): void {
    // A replica waits for a response under the leader epoch that it names: it says that the log is aligned.
    if (this.session.isPrivileged && epoch !== this.epoch) this.highWatermark = -1n
    this.from = from
    this.lastEpoch = lastEpoch
    this.logStart = logStart
    this.bytesMax = bytesMax
    this.epoch = epoch
    this.isGiven = false
  }

  /** Whether an incremental response has to include it (KIP-227): it has records, an error, or changed bounds. */
  isNews({ divergingEpoch, errorCode, highWatermark, logStartOffset, preferredReadReplica = -1, records }: PartitionResponse): boolean {
    if ((records !== null && records.length > 0) || divergingEpoch !== undefined || preferredReadReplica >= 0) return true
    return errorCode !== 0 || highWatermark !== this.highWatermark || logStartOffset !== this.toldStart
  }

  /**
   * Notes what the response says. Returns whether the partition stays due: after an error, and as long as there are records after the client's offset.
   * Otherwise it is due when it advances, or, for a replica that was given records or an error, when it is named.
   */
  told({ divergingEpoch, errorCode, highWatermark, logStartOffset = -1n, records }: PartitionResponse, find: FindReadable): boolean {
    this.toldStart = logStartOffset
    this.isGiven = this.session.isPrivileged && (errorCode !== 0 || divergingEpoch !== undefined || (records !== null && records.length > 0))
    if (errorCode !== 0) {
      this.highWatermark = -1n
      this.leave()
      return !this.isGiven
    }
    this.highWatermark = highWatermark
    this.follow(find)
    if (this.isGiven) return false
    return this.readable === undefined || this.readable.highWatermark() > this.from
  }

  /** Whether it can become due: it does not wait for the replica to name it. */
  get mayBeDue(): boolean {
    return !this.isDue && !this.isGiven
  }

  /** Registers for changes of the partition. One registration serves all Fetches of the session: a poll costs nothing for an idle partition. */
  private follow(find: FindReadable): void {
    const found = find(this.ref, this.index)
    if (found === this.readable) return
    this.leave()
    // A Fetch that waited when the session closed still gets its response; there is no later one.
    if (typeof found === "string" || this.session.isClosed) return
    this.readable = found
    const stop = found.onAdvance(() => this.session.advanced(this))
    const stopNoting = found.onCommitted?.(() => this.session.noted(this))
    this.stop = () => {
      stop()
      stopNoting?.()
    }
  }
  leave(): void {
    this.stop?.()
    this.stop = undefined
    this.readable = undefined
  }

  /** Returns the source that a waiting Fetch counts, from the client's offset on; undefined if the partition cannot be read. */
  watched(): Source | undefined {
    if (this.source !== undefined || this.readable === undefined) return this.source
    const { from, index, readable, ref } = this
    this.source = { ref, index, readable, epoch: readable.leaderEpoch(), cursor: from, bytes: 0, limit: limitOf(this) }
    return this.source
  }
}

/**
 * A fetch session (KIP-227): the client names only partitions that it changes, and the responses have only partitions that changed. The session lists the partitions that are due, so that
 * the cost of a poll depends on the changes and not on the number of partitions.
 */
export class FetchSession {
  /** The epoch that the next request must have. */
  epoch = 1
  size = 0
  /** Set while a Fetch waits: called with each partition that advances; with `undefined` when a later Fetch has advanced the session, or the session was closed. */
  waiter: ((partition: SessionPartition | undefined) => void) | undefined
  /** ms. */
  usedAt: number
  isClosed = false
  private readonly topics = new Map<string, SessionTopic>()
  private due: Array<SessionPartition> = []
  private inOrder = true
  private turns = 0

  constructor(
    readonly id: number,
    /** The client that opened it. No other client can use it. */
    readonly owner: string,
    /** It belongs to a replica: no consumer's session evicts it. */
    readonly isPrivileged: boolean,
    readonly usesTopicIds: boolean,
    /** ms. */
    readonly createdAt: number
  ) {
    this.usedAt = createdAt
  }

  /** Adds a partition or changes its request, and marks it due. */
  ask({ topic, topicId }: { readonly topic: string; readonly topicId: string }, asked: PartitionRequest): SessionPartition {
    const key = this.usesTopicIds ? topicId : topic
    let of = this.topics.get(key)
    if (of === undefined) {
      of = { topic, topicId, ref: this.usesTopicIds ? { topicId: topicId as never } : { name: topic }, partitions: new Map() }
      this.topics.set(key, of)
    }
    let partition = of.partitions.get(asked.index)
    if (partition === undefined) {
      partition = new SessionPartition(this, of, asked.index, this.turns++)
      of.partitions.set(asked.index, partition)
      this.size++
    }
    partition.ask(asked)
    this.markDue(partition)
    return partition
  }

  *forget(forgotten: FetchRequest["forgottenTopicsData"]): Steps<void> {
    if (forgotten.length === 0) return
    const stride = new Stride()
    for (const { partitions, topic, topicId } of forgotten) {
      const key = this.usesTopicIds ? topicId : topic
      const of = this.topics.get(key)
      for (const index of of === undefined ? [] : partitions) {
        this.drop(of?.partitions.get(index))
        if (stride.takes()) yield
      }
      if (of?.partitions.size === 0) this.topics.delete(key)
      if (stride.takes()) yield
    }
    this.due = this.due.filter((partition) => this.holds(partition))
  }
  private drop(partition: SessionPartition | undefined): void {
    if (partition === undefined) return
    partition.leave()
    partition.topic.partitions.delete(partition.index)
    this.size--
  }
  private holds(partition: SessionPartition): boolean {
    return partition.topic.partitions.get(partition.index) === partition
  }

  /** The partitions that the next response has to read, in order. */
  get duePartitions(): ReadonlyArray<SessionPartition> {
    if (!this.inOrder) this.due.sort((one, other) => one.turn - other.turn)
    this.inOrder = true
    return this.due
  }

  /**
   * Notes the responses of the first of the partitions `due`, as these were when the walk began. A partition that gave records becomes the last, so that none starves the others; as in Kafka
   * that begins with the first incremental response.
   */
  settle(due: ReadonlyArray<SessionPartition>, responses: ReadonlyArray<PartitionResponse>, find: FindReadable, rotates = true): void {
    const looked = due.slice(0, responses.length)
    const after = due === this.due ? due.slice(responses.length) : this.dueBeside(looked)
    const stay: Array<SessionPartition> = []
    const moved: Array<SessionPartition> = []
    for (const [at, partition] of looked.entries()) {
      if (!this.holds(partition)) continue
      const answer = responses[at] as PartitionResponse
      const gave = rotates && answer.records !== null && answer.records.length > 0
      if (gave) partition.turn = this.turns++
      partition.isDue = partition.told(answer, find)
      if (partition.isDue) (gave ? moved : stay).push(partition)
    }
    this.due = after.length === 0 && stay.length === 0 ? moved : [...stay, ...after, ...moved]
  }

  /** Returns the due partitions that are not among these: others may have become due, or were removed, since these were listed. */
  private dueBeside(looked: ReadonlyArray<SessionPartition>): ReadonlyArray<SessionPartition> {
    const beside = new Set(looked)
    return this.due.filter((partition) => !beside.has(partition))
  }

  /** @internal Called when a partition has records or bounds that are new, or cannot be read here any more. */
  advanced(partition: SessionPartition): void {
    this.markDue(partition)
    if (partition.isDue) this.waiter?.(partition)
  }
  /** @internal Called when a replica is to hear a new high watermark: with the next response, which it does not hasten. */
  noted(partition: SessionPartition): void {
    this.markDue(partition)
  }
  private markDue(partition: SessionPartition): void {
    if (!partition.mayBeDue) return
    partition.isDue = true
    const last = this.due[this.due.length - 1]
    if (last !== undefined && last.turn > partition.turn) this.inOrder = false
    this.due.push(partition)
  }

  /** Removes the registrations of its partitions and ends a Fetch that waits. */
  close(): void {
    this.isClosed = true
    for (const { partitions } of this.topics.values()) for (const partition of partitions.values()) partition.leave()
    this.waiter?.(undefined)
  }
}
