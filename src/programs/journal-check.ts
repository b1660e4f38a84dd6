import { Effect, Either, HashMap, Schema } from "effect"
import { decodeEntries } from "../../adapters/journal/entry-record.ts"
import type { StreamPartition } from "../../adapters/journal/stream-partition.ts"
import { CheckpointReader } from "../../adapters/log/disk/checkpoint.ts"
import type { ReadableDisk } from "../../adapters/log/disk/disk.ts"
import { segmentPieces } from "../../adapters/log/inspect/segment-walk.ts"
import type { VerifiedLog } from "../../adapters/log/inspect/verify-log.ts"
import { metadataTopic } from "../../domain/cluster/topic/name.ts"
import { defaults as groupLimits } from "../../domain/group/limits.ts"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { readInt64 } from "../../domain/log/int.ts"
import type { Finding } from "../../domain/log/verify.ts"
import { groupsAggregate } from "../groups/groups-aggregate.ts"
import { clusterAggregate } from "../leader/journal/cluster-aggregate.ts"
import type { Snapshot, StoredEntry } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Restorable, Tagged } from "../stream/aggregate.ts"
import { foldOfSnapshot } from "../stream/snapshot.ts"
import { entryReader, type ReadEntry, StreamFold } from "../stream/stream-fold.ts"

/** What a journal came to. */
export interface JournalCheck {
  /** Events that were read and known. */
  readonly events: number
  readonly findings: ReadonlyArray<Finding>
  /** Names of the topics that the cluster has; empty for the journals of groups. */
  readonly topics: ReadonlyMap<TopicId, string>
}

/** The newest snapshot of a stream that is whole: its index as an int64, then its JSON. */
export const readSnapshot = (disk: ReadableDisk, root: string, { name }: StreamPartition, crc32c: Crc32c): Effect.Effect<Snapshot | undefined, LogFault> =>
  Effect.map(new CheckpointReader(disk, root, crc32c).read(`${name}.snapshot`), (bytes) =>
    bytes === undefined || bytes.length < 8 ? undefined : { index: readInt64(bytes, 0), value: bytes.subarray(8) }
  )

/** The entries of a log up to where it breaks, in order. */
function* entriesOf(disk: ReadableDisk, log: VerifiedLog, stream: string, crc32c: Crc32c): Generator<StoredEntry | Finding> {
  for (const { baseOffset, path, sizeInBytes } of log.segments) {
    const isLast = log.firstBreak?.baseOffset === baseOffset
    const file = disk.open(path.log, "read")
    try {
      for (const piece of segmentPieces(file, isLast ? (log.firstBreak?.position ?? sizeInBytes) : sizeInBytes, crc32c, () => 0)) {
        if (piece._tag === "Damage") return
        const entries = decodeEntries(stream, [piece.batch.bytes], crc32c)
        if (Either.isRight(entries)) yield* entries.right
        else return yield { ...wrongAt(path.log, piece.batch.baseOffset, entries.left.message), position: piece.position }
      }
    } finally {
      file.close()
    }
    if (isLast) return
  }
}

const wrongAt = (file: string, offset: number, meaning: string): Finding => ({
  kind: "journal",
  file,
  position: undefined,
  offset,
  meaning,
  advice: "The leader will not start with this. Start the version that wrote it, or put a copy of the leader's whole directory back."
})

/** Folds a stream from its start, or from its snapshot where its start was trimmed, and compares the fold with the snapshot (M1, M2). */
class Folding<State, Event extends Tagged> {
  readonly findings: Array<Finding> = []
  events = 0
  private folded: StreamFold<State, Event>
  private snapshot: StreamFold<State, Event> | undefined
  private next: number
  private readonly read: ReadEntry<Event>

  constructor(
    private readonly restorable: Restorable<State, Event>,
    { directory, end, start, stream }: { readonly directory: string; readonly stream: string; readonly start: number; readonly end: number },
    stored: Snapshot | undefined
  ) {
    this.folded = new StreamFold(stream, restorable)
    this.next = start
    this.read = entryReader(restorable)
    this.say = (offset, meaning) => void this.findings.push(wrongAt(directory, offset, meaning))
    if (stored !== undefined) this.load(stream, stored, end)
    if (start === 0 || this.findings.length > 0) return
    if (this.snapshot === undefined || this.snapshot.end < start)
      this.say(start, `The journal begins with entry ${start}, and no snapshot covers what was before it: its state cannot be known.`)
    else this.folded = this.snapshot
  }

  private readonly say: (offset: number, meaning: string) => void

  get state(): State {
    return this.folded.state
  }

  private load(stream: string, stored: Snapshot, end: number): void {
    const { index } = stored
    const read = foldOfSnapshot(stream, this.restorable, stored)
    if (Either.isLeft(read)) this.say(index, read.left.message)
    else if (index > end) this.say(end, `The journal ends with ${end - 1}, before its own snapshot at ${index}: entries that were durable are gone.`)
    else this.snapshot = read.right
  }

  private compare(): void {
    if (this.snapshot?.end !== this.next) return
    const textOf = (state: State): string => JSON.stringify(Schema.encodeSync(this.restorable.state)(state))
    if (textOf(this.state) !== textOf(this.snapshot.state))
      this.say(this.next, `The snapshot at ${this.next} is not what the entries before it come to: one of them was changed.`)
  }

  /** Takes the entries in order; the first that is wrong ends it. */
  fold(entries: Iterable<StoredEntry | Finding>): void {
    // A fold that begins with the snapshot has nothing to compare, and only reads the entries before it.
    const compares = this.folded !== this.snapshot
    if (compares) this.compare()
    for (const entry of entries) {
      if ("meaning" in entry) {
        this.findings.push(entry)
        return
      }
      if (entry.index !== this.next) return this.say(this.next, `Entry ${this.next} is missing: ${entry.index} comes next.`)
      if (entry.index < this.folded.end) {
        const event = this.read(entry)
        if (Either.isLeft(event)) return this.say(entry.index, `Entry ${entry.index} of type ${entry.type} cannot be read by this version: ${event.left}`)
      } else {
        const event = this.folded.take(entry)
        if (Either.isLeft(event)) return this.say(entry.index, event.left.message)
      }
      this.events++
      this.next++
      if (compares) this.compare()
    }
  }
}

const check = <State, Event extends Tagged>(
  restorable: Restorable<State, Event>,
  log: VerifiedLog,
  stream: string,
  stored: Snapshot | undefined,
  entries: Iterable<StoredEntry | Finding>
): Folding<State, Event> => {
  const bounds = { directory: log.directory, stream, start: log.start, end: log.firstBreak?.offset ?? log.end }
  const folding = new Folding(restorable, bounds, stored)
  if (folding.findings.length === 0) folding.fold(entries)
  return folding
}

/** Reads a leader's journal as the leader would, and says what would keep it from starting. Changes nothing; throws what the disk throws. */
export const checkJournal = (
  disk: ReadableDisk,
  root: string,
  log: VerifiedLog,
  stream: string,
  place: StreamPartition,
  crc32c: Crc32c
): Effect.Effect<JournalCheck, LogFault> =>
  Effect.map(readSnapshot(disk, root, place, crc32c), (stored) => {
    const entries = entriesOf(disk, log, stream, crc32c)
    if (stream !== metadataTopic) {
      const { events, findings } = check(groupsAggregate(groupLimits), log, stream, stored, entries)
      return { events, findings, topics: new Map() }
    }
    const { events, findings, state } = check(clusterAggregate, log, stream, stored, entries)
    return { events, findings, topics: new Map(Array.from(HashMap.values(state.topics), ({ name, topicId }) => [topicId, name])) }
  })
