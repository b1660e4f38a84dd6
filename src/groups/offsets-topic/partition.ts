import { Either } from "effect"
import { consumerOffsetsTopic, consumerOffsetsTopicId } from "../../../domain/cluster/topic/name.ts"
import type { Event } from "../../../domain/group/event.ts"
import { evolve } from "../../../domain/group/evolve.ts"
import { type Groups, groupOf } from "../../../domain/group/groups.ts"
import type { GroupId } from "../../../domain/group/id.ts"
import type { Group } from "../../../domain/group/state.ts"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import type { ReadablePartition } from "../../serve/readable.ts"
import type { Steps } from "../../wire/sliced.ts"
import type { GroupFollower, GroupsChange } from "../follower.ts"
import type { GroupsWriter } from "../groups-aggregate.ts"
import { MemoryLog } from "./log.ts"
import { groupRecord, needsState, type OffsetsRecord, offsetRecord, recordsOfEvent } from "./records.ts"

interface OffsetsLogBounds {
  /** Records of one batch at most; after so many a step ends. */
  readonly recordsPerBatchMax: number
  /** Superseded records are let go of when the log has grown to so many times what it was without any, and to so many bytes. */
  readonly growthMax: number
  readonly rewriteBytesMin: number
}
/** Steps that are done at once; further steps run in the background. */
const stepsAtOnce = 3
/** Offsets begin at the time of the load in ms times this: a log that is made anew never gives an offset again, at less than a million records a second. */
const offsetsPerMs = 1024
const defaultBounds: OffsetsLogBounds = { recordsPerBatchMax: 100, growthMax: 4, rewriteBytesMin: 4_194_304 }

interface OffsetsPartitionOptions {
  readonly partition: number
  /** The groups that the partition tells of. */
  readonly groups: Pick<GroupsWriter, "state" | "epoch">
  /** Ms since 1970; never falls. */
  readonly now: () => number
  /** Runs steps in the background. */
  readonly run: (steps: Steps<void>) => void
  readonly bounds?: OffsetsLogBounds
}

/** Events of the groups, and the groups before them. */
interface Unwritten {
  readonly events: ReadonlyArray<Event>
  readonly before: Groups
}

/** Most events are commits, which say everything themselves; the groups are folded only where another one came. */
function* recordsOf({ before, events }: Unwritten): Generator<OffsetsRecord, void> {
  const folds = events.some(needsState)
  const folded = new Map<GroupId, Group>()
  for (const event of events) {
    const group = folded.get(event.groupId) ?? groupOf(before, event.groupId)
    const after = folds ? evolve(group, event) : group
    if (folds) folded.set(event.groupId, after)
    yield* recordsOfEvent(group, event, after)
  }
}

/** A partition of `__consumer_offsets`, made in memory from the groups of one stream. Without a reader it has no log and costs nothing. */
export class OffsetsPartition implements ReadablePartition, GroupFollower {
  readonly topic = consumerOffsetsTopic
  readonly topicId = consumerOffsetsTopicId
  readonly partition: number
  private readonly groups: OffsetsPartitionOptions["groups"]
  private readonly bounds: OffsetsLogBounds
  private log: MemoryLog
  private state: Groups
  private isLoaded = false
  private isWhole = false
  /** When a client last looked for the partition, ms since 1970. */
  private usedAt = 0
  /** The end of the log that was unloaded last: no record gets an offset before it. */
  private unloadedEnd: Offset = 0
  private wholeBytes = 0
  private rewriting = false
  /** Changes of the groups whose records are not all in the log, the oldest first. */
  private readonly changes: Array<Unwritten> = []
  private readonly waiting = new Set<() => void>()

  constructor(private readonly options: OffsetsPartitionOptions) {
    this.partition = options.partition
    this.groups = options.groups
    this.bounds = options.bounds ?? defaultBounds
    this.log = new MemoryLog(0, this.groups.epoch)
    this.state = this.groups.state()
  }

  /** Whether it can be read: every key has its latest record. */
  get isReadable(): boolean {
    return this.isWhole
  }
  /** Whether the groups are followed, since a client reads or has read. */
  get isFollowing(): boolean {
    return this.isLoaded
  }
  get isWaitedFor(): boolean {
    return this.waiting.size > 0
  }

  /** Begins to follow the groups, for a client that looks for the partition. Readable at once where the groups are few. */
  load(): void {
    this.usedAt = this.options.now()
    if (this.isLoaded) return
    this.isLoaded = true
    const first = Math.max(this.unloadedEnd, this.usedAt * offsetsPerMs)
    this.log = new MemoryLog(first, this.groups.epoch)
    this.state = this.groups.state()
    this.rewrite()
  }

  /** Unloads the log where no client waits for the partition, or has looked for it in `idleMs`. */
  unloadIfIdle(idleMs: number): void {
    if (!this.isWaitedFor && this.options.now() - this.usedAt >= idleMs) this.unload()
  }

  /** Releases the log. A reader that comes later finds every key again, at higher offsets. */
  unload(): void {
    if (!this.isLoaded) return
    this.isLoaded = this.isWhole = this.rewriting = false
    this.changes.length = 0
    this.unloadedEnd = this.log.end
    this.log = new MemoryLog(this.unloadedEnd, this.groups.epoch)
    this.wake()
  }

  /** Appends the latest record of each key, in steps, and then drops everything before them. Meanwhile events of the groups are appended, too. */
  private rewrite(): void {
    const { log } = this
    this.rewriting = true
    this.begin(this.steps(log, log.end))
  }

  /** The latest record of each key. A record is made when its turn comes, so that it is not older than what an event has appended meanwhile; events that come later end with the latest, too. */
  private *latest(): Generator<OffsetsRecord | undefined> {
    for (const [groupId, { offsets }] of this.state) {
      for (const [topic, held] of offsets) for (const [partition] of held) yield offsetRecord(groupOf(this.state, groupId), topic, partition)
      yield groupRecord(groupOf(this.state, groupId))
    }
  }

  /** No record is kept over a pause: events of its group would be appended before it. */
  private *steps(log: MemoryLog, from: Offset): Steps<void> {
    let records: Array<OffsetsRecord> = []
    for (const record of this.latest()) {
      if (record === undefined || records.push(record) < this.bounds.recordsPerBatchMax) continue
      log.append(records)
      records = []
      yield
      if (this.log !== log) return
    }
    if (records.length > 0) log.append(records)
    log.dropBefore(from)
    this.wholeBytes = log.sizeInBytes
    this.rewriting = false
    this.isWhole = true
    this.wake()
  }

  follow({ events, state }: GroupsChange): void {
    if (!this.isLoaded) return
    this.changes.push({ events, before: this.state })
    this.state = state
    if (this.changes.length === 1) this.begin(this.appending(this.log))
  }

  /** Appends the records of the changes, in their order. A large commit takes many steps; what comes meanwhile waits behind it. */
  private *appending(log: MemoryLog): Steps<void> {
    for (let change = this.changes[0]; change !== undefined; change = this.changes[0]) {
      let records: Array<OffsetsRecord> = []
      for (const record of recordsOf(change)) {
        if (records.push(record) < this.bounds.recordsPerBatchMax) continue
        log.append(records)
        records = []
        this.wake()
        yield
        if (this.log !== log) return
      }
      this.changes.shift()
      if (records.length === 0) continue
      log.append(records)
      this.wake()
    }
    const { growthMax, rewriteBytesMin } = this.bounds
    if (!this.rewriting && log.sizeInBytes > Math.max(rewriteBytesMin, growthMax * this.wholeBytes)) this.rewrite()
  }

  /** The first steps at once, the others in the background. */
  private begin(steps: Steps<void>): void {
    for (let step = 0; step < stepsAtOnce; step++) if (steps.next().done === true) return
    this.options.run(steps)
  }

  private wake(): void {
    for (const each of [...this.waiting]) each()
  }

  readonly leaderEpoch = (): Epoch => this.groups.epoch
  /** A reader may come from any offset before the first record: what was there is superseded, as after compaction. */
  readonly start = (): Offset => 0
  readonly earliest = (): Offset => this.log.first
  readonly highWatermark = (): Offset => this.log.end
  readonly end = (): Offset => this.log.end
  readonly read = (from: Offset, maxBytes: number) => Either.right(this.log.read(from, maxBytes))
  readonly batchAtTime = (timestamp: number, from = 0) => Either.right(this.log.batchAtTime(timestamp, from))
  readonly latestTimestamp = (): number => this.log.latestTimestamp
  readonly onAdvance = (wake: () => void): (() => void) => {
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }
}
