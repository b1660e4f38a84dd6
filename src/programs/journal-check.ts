import { Effect, Either, HashMap, Schema } from "effect"
import { decodeEntries } from "../../adapters/journal/entry-record.ts"
import type { StreamPartition } from "../../adapters/journal/stream-partition.ts"
import { Checkpoints } from "../../adapters/log/disk/checkpoint.ts"
import type { Disk } from "../../adapters/log/disk/disk.ts"
import { segmentPieces } from "../../adapters/log/inspect/segment-walk.ts"
import type { VerifiedLog } from "../../adapters/log/inspect/verify-log.ts"
import { metadataTopic } from "../../domain/cluster/topic/name.ts"
import { defaults as groupLimits } from "../../domain/group/limits.ts"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { readInt64 } from "../../domain/log/int.ts"
import type { Finding } from "../../domain/log/verify.ts"
import type { Aggregate, Named } from "../leader/aggregate.ts"
import { clusterAggregate } from "../leader/cluster-aggregate.ts"
import { groupsAggregate } from "../leader/group/aggregate.ts"
import { snapshotSchema } from "../leader/replay.ts"
import type { Snapshot, StoredEntry } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"

/** What a journal came to. */
export interface JournalCheck {
  /** Events that were read and known. */
  readonly events: number
  readonly findings: ReadonlyArray<Finding>
  /** Names of the topics that the cluster has; empty for the journals of groups. */
  readonly topics: ReadonlyMap<TopicId, string>
}

const utf8 = new TextDecoder("utf-8", { fatal: true })
const parseJson = (bytes: Uint8Array): Either.Either<unknown, string> => Either.try({ try: () => JSON.parse(utf8.decode(bytes)) as unknown, catch: String })

/** The newest snapshot of a stream that is whole: its index as an int64, then its JSON. */
export const readSnapshot = (disk: Disk, root: string, { name }: StreamPartition, crc32c: Crc32c): Effect.Effect<Snapshot | undefined, LogFault> =>
  Effect.map(new Checkpoints(disk, root, crc32c).read(`${name}.snapshot`), (bytes) =>
    bytes === undefined || bytes.length < 8 ? undefined : { index: readInt64(bytes, 0), value: bytes.subarray(8) }
  )

/** The entries of a log up to where it breaks, in order. */
function* entriesOf(disk: Disk, log: VerifiedLog, stream: string, crc32c: Crc32c): Generator<StoredEntry | Finding> {
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

/** Folds a stream from its start, or from its snapshot where its start was let go of, and compares the fold with the snapshot (M1, M2). */
class Folding<State, Command, Event extends Named, Rejection> {
  readonly findings: Array<Finding> = []
  state: State
  events = 0
  private next: number
  private readonly decodeEvent: (json: unknown) => Either.Either<Event, { readonly message: string }>
  private snapshot: { readonly index: number; readonly state: State } | undefined

  constructor(
    private readonly aggregate: Aggregate<State, Command, Event, Rejection>,
    private readonly directory: string,
    start: number,
    end: number,
    stored: Snapshot | undefined
  ) {
    this.state = aggregate.initial
    this.next = start
    this.decodeEvent = Schema.decodeUnknownEither(aggregate.event)
    if (stored !== undefined) this.load(stored, end)
    if (start === 0 || this.findings.length > 0) return
    if (this.snapshot === undefined || this.snapshot.index < start)
      this.say(start, `The journal begins with entry ${start}, and no snapshot covers what was before it: its state cannot be known.`)
    else this.state = this.snapshot.state
  }

  private say(offset: number, meaning: string): void {
    this.findings.push(wrongAt(this.directory, offset, meaning))
  }

  private load({ index, value }: Snapshot, end: number): void {
    const decode = Schema.decodeUnknownEither(snapshotSchema(this.aggregate))
    const read = Either.flatMap(parseJson(value), (json) => Either.mapLeft(decode(json), ({ message }) => message))
    if (Either.isLeft(read)) this.say(index, `The snapshot at ${index} cannot be read by this version: ${read.left}`)
    else if (index > end) this.say(end, `The journal ends with ${end - 1}, before its own snapshot at ${index}: entries that were durable are gone.`)
    else this.snapshot = { index, state: read.right.state }
  }

  private compare(): void {
    if (this.snapshot?.index !== this.next) return
    const textOf = (state: State): string => JSON.stringify(Schema.encodeSync(this.aggregate.state)(state))
    if (textOf(this.state) !== textOf(this.snapshot.state))
      this.say(this.next, `The snapshot at ${this.next} is not what the entries before it come to: one of them was changed.`)
  }

  /** Takes the entries in order; the first that is wrong ends it. */
  fold(entries: Iterable<StoredEntry | Finding>): void {
    // A fold that begins with the snapshot has nothing to compare, and only reads what is before it.
    const from = this.next === 0 ? 0 : (this.snapshot?.index ?? 0)
    if (from === 0) this.compare()
    for (const entry of entries) {
      if ("meaning" in entry) {
        this.findings.push(entry)
        return
      }
      if (entry.index !== this.next) return this.say(this.next, `Entry ${this.next} is missing: ${entry.index} comes next.`)
      const event = Either.flatMap(parseJson(entry.value), (json) => Either.mapLeft(this.decodeEvent(json), ({ message }) => message))
      if (Either.isLeft(event)) return this.say(entry.index, `Entry ${entry.index} of type ${entry.type} cannot be read by this version: ${event.left}`)
      if (entry.index >= from) this.state = this.aggregate.evolve(this.state, event.right)
      this.events++
      this.next++
      if (from === 0) this.compare()
    }
  }
}

const check = <State, Command, Event extends Named, Rejection>(
  aggregate: Aggregate<State, Command, Event, Rejection>,
  log: VerifiedLog,
  stored: Snapshot | undefined,
  entries: Iterable<StoredEntry | Finding>
): Folding<State, Command, Event, Rejection> => {
  const folding = new Folding(aggregate, log.directory, log.start, log.firstBreak?.offset ?? log.end, stored)
  if (folding.findings.length === 0) folding.fold(entries)
  return folding
}

/** Reads a leader's journal as the leader would, and says what would keep it from starting. Changes nothing; throws what the disk throws. */
export const checkJournal = (
  disk: Disk,
  root: string,
  log: VerifiedLog,
  stream: string,
  place: StreamPartition,
  crc32c: Crc32c
): Effect.Effect<JournalCheck, LogFault> =>
  Effect.map(readSnapshot(disk, root, place, crc32c), (stored) => {
    const entries = entriesOf(disk, log, stream, crc32c)
    if (stream !== metadataTopic) {
      const { events, findings } = check(groupsAggregate(groupLimits), log, stored, entries)
      return { events, findings, topics: new Map() }
    }
    const { events, findings, state } = check(clusterAggregate, log, stored, entries)
    return { events, findings, topics: new Map(Array.from(HashMap.values(state.topics), ({ name, topicId }) => [topicId, name])) }
  })
