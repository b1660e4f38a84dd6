import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import { type Steps, Stride } from "../../wire/sliced.ts"
import type { TopicRef } from "../cluster/current-leader.ts"
import type { FindReadable, ReadablePartition } from "../readable.ts"
import type { FetchRequest, PartitionAnswer, Wanted } from "./fetch-pass.ts"
import type { Source } from "./source.ts"

/** From this version on topics are named by id alone (KIP-516). */
export const topicIdsSince = 13

/** The epoch that follows: 0 opens a session, so it is never come back to. */
export const nextEpoch = (epoch: number): number => (epoch === 0x7fff_ffff ? 1 : epoch + 1)

/** A topic of a session, as its client names it. */
interface SessionTopic {
  readonly topic: string
  readonly topicId: string
  readonly ref: TopicRef
  readonly partitions: Map<number, SessionPartition>
}

/** One partition of a session: what its client wants of it, and what the client was told last. */
export class SessionPartition implements Wanted {
  from: Offset = 0
  bytesMax = 0
  epoch: Epoch = -1
  /** As the last answer said; -1 after an error, so that it is told again when the error has gone. */
  private highWatermark = -1n
  private logStart = -1n
  /** It has to be looked at by the next answer. The others have nothing new. */
  isDue = false
  /** Kept while a fetch of the session waits: what has come since. */
  source: Source | undefined
  private readable: ReadablePartition | undefined
  private stop: (() => void) | undefined

  constructor(
    private readonly session: FetchSession,
    readonly topic: SessionTopic,
    readonly index: number,
    /** Its place among the others: the smallest is asked first. */
    public turn: number
  ) {}

  get ref(): TopicRef {
    return this.topic.ref
  }

  ask({ bytesMax, epoch, from }: Wanted): void {
    this.from = from
    this.bytesMax = bytesMax
    this.epoch = epoch
  }

  /** Whether an incremental answer has to name it (KIP-227): records, an error, or bounds that changed. */
  isNews({ errorCode, highWatermark, logStartOffset, records }: PartitionAnswer): boolean {
    if (records !== null && records.length > 0) return true
    return errorCode !== 0 || highWatermark !== this.highWatermark || logStartOffset !== this.logStart
  }

  /**
   * The client is told this. Answers whether the partition stays due: after an error it is asked again each time, and as long as there is more behind the
   * client's offset. Else it is due when it advances.
   */
  told({ errorCode, highWatermark, logStartOffset = -1n }: PartitionAnswer, find: FindReadable): boolean {
    this.logStart = logStartOffset
    if (errorCode !== 0) {
      this.highWatermark = -1n
      this.leave()
      return true
    }
    this.highWatermark = highWatermark
    this.follow(find)
    return this.readable === undefined || this.readable.highWatermark() > this.from
  }

  /** Hears of every change from now on. One registration serves all fetches of the session: a poll costs nothing for a partition that is quiet. */
  private follow(find: FindReadable): void {
    const found = find(this.ref, this.index)
    if (found === this.readable) return
    this.leave()
    // A Fetch that waited when the session was closed still gets its response; no later one comes.
    if (typeof found === "string" || this.session.isClosed) return
    this.readable = found
    this.stop = found.onAdvance(() => this.session.advanced(this))
  }
  leave(): void {
    this.stop?.()
    this.stop = undefined
    this.readable = undefined
  }

  /** What it gives to a fetch that waits, counted from the client's offset on; undefined where it cannot be read. */
  watched(): Source | undefined {
    if (this.source !== undefined || this.readable === undefined) return this.source
    const { bytesMax, from, index, readable, ref } = this
    this.source = { ref, index, readable, epoch: readable.leaderEpoch(), cursor: from, bytes: 0, limit: Math.max(1, bytesMax) }
    return this.source
  }
}

/**
 * What one client fetches again and again (KIP-227): it names only what changes, and is told only what changed. The partitions that have something to tell are kept as a
 * list, so that a poll costs by what happened and not by how many partitions there are.
 */
export class FetchSession {
  /** The epoch that the next request must have. */
  epoch = 1
  size = 0
  /** Set while a fetch waits: called for each partition that advances. `undefined` in place of one: the session has gone on without it, or was closed. */
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
    /** Whose it is: for anybody else it is not there. */
    readonly owner: string,
    /** A replica's: it is not closed to make room for a consumer's. */
    readonly isPrivileged: boolean,
    readonly usesTopicIds: boolean,
    /** ms. */
    readonly createdAt: number
  ) {
    this.usedAt = createdAt
  }

  /** Adds a partition or changes what is asked of it; it is due. */
  ask({ topic, topicId }: { readonly topic: string; readonly topicId: string }, asked: Wanted): SessionPartition {
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

  /** What has to be looked at, in its order. */
  get duePartitions(): ReadonlyArray<SessionPartition> {
    if (!this.inOrder) this.due.sort((one, other) => one.turn - other.turn)
    this.inOrder = true
    return this.due
  }

  /**
   * The client is told these answers, of the first of the partitions `due`, as they were when the walk began. Who gave records stands last from now on, so that none starves the others; as in Kafka
   * that begins with the first incremental answer.
   */
  settle(due: ReadonlyArray<SessionPartition>, answers: ReadonlyArray<PartitionAnswer>, find: FindReadable, rotates = true): void {
    const looked = due.slice(0, answers.length)
    const after = due === this.due ? due.slice(answers.length) : this.dueBeside(looked)
    const stay: Array<SessionPartition> = []
    const moved: Array<SessionPartition> = []
    for (const [at, partition] of looked.entries()) {
      if (!this.holds(partition)) continue
      const answer = answers[at] as PartitionAnswer
      const gave = rotates && answer.records !== null && answer.records.length > 0
      if (gave) partition.turn = this.turns++
      partition.isDue = partition.told(answer, find)
      if (partition.isDue) (gave ? moved : stay).push(partition)
    }
    this.due = after.length === 0 && stay.length === 0 ? moved : [...stay, ...after, ...moved]
  }

  /** What is due beside these, where others have become due, or were forgotten, since they were listed. */
  private dueBeside(looked: ReadonlyArray<SessionPartition>): ReadonlyArray<SessionPartition> {
    const beside = new Set(looked)
    return this.due.filter((partition) => !beside.has(partition))
  }

  /** @internal A partition has something new, or is not read here any more. */
  advanced(partition: SessionPartition): void {
    this.markDue(partition)
    this.waiter?.(partition)
  }
  private markDue(partition: SessionPartition): void {
    if (partition.isDue) return
    partition.isDue = true
    const last = this.due[this.due.length - 1]
    if (last !== undefined && last.turn > partition.turn) this.inOrder = false
    this.due.push(partition)
  }

  /** Lets go of its partitions; a fetch that waits ends. */
  close(): void {
    this.isClosed = true
    for (const { partitions } of this.topics.values()) for (const partition of partitions.values()) partition.leave()
    this.waiter?.(undefined)
  }
}
