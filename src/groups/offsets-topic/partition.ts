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
/** Steps that a reader waits for; more are done in the background. */
const stepsAtOnce = 3
const defaultBounds: OffsetsLogBounds = { recordsPerBatchMax: 100, growthMax: 4, rewriteBytesMin: 4_194_304 }

/** The stream of the journal whose groups a partition tells of. */
type FollowedGroups = Pick<GroupsWriter, "state" | "onChange" | "epoch">

interface OffsetsPartitionOptions {
  readonly partition: number
  readonly groups: FollowedGroups
  /** An offset over all that were given out before this leader started. */
  readonly firstOffset: () => Offset
  /** Runs steps in the background. */
  readonly run: (steps: Steps<void>) => void
  readonly bounds?: OffsetsLogBounds
}

/** Events of the groups, and what the groups were before them. */
interface GroupsChange {
  readonly events: ReadonlyArray<Event>
  readonly before: Groups
}

/** Most events are commits, which say everything themselves; the groups are folded only where another one came. */
function* recordsOf({ before, events }: GroupsChange): Generator<OffsetsRecord, void> {
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
export class OffsetsPartition implements ReadablePartition {
  readonly topic = consumerOffsetsTopic
  readonly topicId = consumerOffsetsTopicId
  readonly partition: number
  private readonly groups: FollowedGroups
  private readonly bounds: OffsetsLogBounds
  private log: MemoryLog
  private state: Groups
  private unfollow: (() => void) | undefined
  private isWhole = false
  /** Every offset before it was given to a record of a log that is gone. */
  private taken: Offset = 0
  private wholeBytes = 0
  private rewriting = false
  /** Changes of the groups whose records are not all in the log, the oldest first. */
  private readonly changes: Array<GroupsChange> = []
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
    return this.unfollow !== undefined
  }
  get isWaitedFor(): boolean {
    return this.waiting.size > 0
  }

  /** Begins to follow the groups. Readable at once where they are few. */
  begin(): void {
    if (this.unfollow !== undefined) return
    this.log = new MemoryLog(Math.max(this.taken, this.options.firstOffset()), this.groups.epoch)
    this.state = this.groups.state()
    this.unfollow = this.groups.onChange(({ events, state }) => this.follow(events, state))
    this.rewrite()
  }

  /** Lets go of the log. A reader that comes back later finds every key again, at higher offsets. */
  rest(): void {
    if (this.unfollow === undefined) return
    this.unfollow()
    this.unfollow = undefined
    this.isWhole = this.rewriting = false
    this.changes.length = 0
    this.taken = this.log.end
    this.log = new MemoryLog(this.taken, this.groups.epoch)
    this.wake()
  }

  /** Writes the latest record of each key behind what is there, in steps, and lets go of everything before it. Meanwhile the events of the groups go on. */
  private rewrite(): void {
    const { log } = this
    this.rewriting = true
    this.begun(this.steps(log, log.end))
  }

  /** The latest record of each key. Each is looked up when its turn comes, so that it is not older than what an event has put into the log meanwhile; what an event puts there later ends with the latest, too. */
  private *latest(): Generator<OffsetsRecord | undefined> {
    for (const [groupId, { offsets }] of this.state) {
      for (const [topic, held] of offsets) for (const [partition] of held) yield offsetRecord(groupOf(this.state, groupId), topic, partition)
      yield groupRecord(groupOf(this.state, groupId))
    }
  }

  /** No record waits over a pause: events of its group would come before it. */
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

  private follow(events: ReadonlyArray<Event>, state: Groups): void {
    this.changes.push({ events, before: this.state })
    this.state = state
    if (this.changes.length === 1) this.begun(this.appending(this.log))
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
  private begun(steps: Steps<void>): void {
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
