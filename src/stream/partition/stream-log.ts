import { Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { type DecodedBatch, decodeBatches } from "../../ports/entry-record.ts"
import type { StoredEntry } from "../../ports/journal.ts"
import { LogFault } from "../../ports/log-store.ts"
import type { LedPartition } from "./led-partition.ts"

/** Names of headers: the index of an append's first entry; of a part of a snapshot also its number and the number of parts. */
export const headerOf = { index: "index", part: "part", parts: "parts" } as const

/** Bytes that are read at a time. */
const readBytesMax = 1_048_576

/** A snapshot that is in the log as a run of parts. */
interface SnapshotRun {
  readonly index: number
  /** The offset of its first part. */
  readonly offset: Offset
  readonly parts: number
}

/** The parts of one snapshot that follow each other; parts of another one, or a gap, begin anew. */
class Run {
  private run: (SnapshotRun & { readonly epoch: number }) | undefined
  private next = 0

  /** Takes the next part of the log. Returns the snapshot that it completes. */
  take({ batch, numberOf }: DecodedBatch): SnapshotRun | undefined {
    const [index, part, parts] = [numberOf(headerOf.index), numberOf(headerOf.part), numberOf(headerOf.parts)]
    if (index === undefined || part === undefined || parts === undefined) return undefined
    const epoch = batch.partitionLeaderEpoch
    if (part === 0) this.run = { index, offset: batch.baseOffset, parts, epoch }
    const { run } = this
    if (run === undefined || part !== (part === 0 ? 0 : this.next) || run.index !== index || run.parts !== parts || run.epoch !== epoch) {
      this.run = undefined
      return undefined
    }
    this.next = part + 1
    if (this.next < parts) return undefined
    this.run = undefined
    return { index: run.index, offset: run.offset, parts: run.parts }
  }
}

const isPart = ({ numberOf }: DecodedBatch): boolean => numberOf(headerOf.part) !== undefined

/**
 * Where the entries and the newest snapshot of a stream are in the log of its partition. The log has the entries, one
 * batch for an append, and between them the parts of snapshots. So an entry's index is not its offset: the first record
 * of each append names the index.
 */
export class StreamLog {
  /** The first index and the base offset of each append in the log, ascending. */
  private indexes: Array<number> = []
  private offsets: Array<Offset> = []
  /** The index of the next entry; undefined for a log without entries and snapshots. */
  private next: number | undefined
  private newest: SnapshotRun | undefined

  private constructor(
    readonly stream: string,
    private readonly partition: LedPartition,
    private readonly crc32c: Crc32c
  ) {}

  /** Reads the log up to `end`. LogFault "corrupt" where entries are missing. */
  static *read(stream: string, partition: LedPartition, crc32c: Crc32c, end: Offset): Generator<void, Either.Either<StreamLog, LogFault>> {
    const log = new StreamLog(stream, partition, crc32c)
    const run = new Run()
    for (let at = partition.start(); at < end; ) {
      const batches = log.batchesAt(at, end)
      if (Either.isLeft(batches)) return Either.left(batches.left)
      if (batches.right.length === 0) return Either.left(log.damaged(`at ${at}: the log ends there, and not at ${end}`))
      for (const batch of batches.right) {
        const wrong = log.take(batch, run)
        if (wrong !== undefined) return Either.left(wrong)
        at = batch.batch.nextOffset
      }
      yield
    }
    return Either.right(log)
  }

  /** Whether the stream has neither an entry nor a whole snapshot. */
  get isEmpty(): boolean {
    return this.next === undefined
  }
  /** The index of the first entry. */
  get start(): number {
    return this.indexes[0] ?? this.end
  }
  /** The index of the next entry. */
  get end(): number {
    return this.next ?? 0
  }
  get snapshot(): SnapshotRun | undefined {
    return this.newest
  }

  /** Notes an append of `count` entries at an offset. */
  appended(offset: Offset, count: number): void {
    this.indexes.push(this.end)
    this.offsets.push(offset)
    this.next = this.end + count
  }
  /** Notes a whole snapshot. */
  snapshotted(run: SnapshotRun): void {
    this.newest = run
    this.next ??= run.index
  }

  /** Returns the offset up to which the log may be deleted when the entries before `index` and older snapshots are not needed. */
  offsetBefore(index: number): Offset {
    const snapshot = this.newest?.offset ?? 0
    const at = this.appendOf(index)
    return at === undefined ? snapshot : Math.min(snapshot, this.offsets[at] as Offset)
  }
  /** Forgets the appends before an offset: the log is deleted up to there. */
  forgetBefore(offset: Offset): void {
    const kept = this.offsets.findIndex((each) => each >= offset)
    const count = kept === -1 ? this.offsets.length : kept
    this.indexes = this.indexes.slice(count)
    this.offsets = this.offsets.slice(count)
  }

  /** Returns entries from `from` on, before `end`, as many as one read has. `from` is not before `start`. */
  entries(from: number, end: number, limit: Offset): Either.Either<ReadonlyArray<StoredEntry>, LogFault> {
    return Either.map(this.appendsFrom(from, readBytesMax, limit), (batches) => batches.flatMap(indexed).filter(({ index }) => index >= from && index < end))
  }

  /** Returns the batches of entries from the one that holds `from`; none where there is no such entry. */
  appendsFrom(from: number, maxBytes: number, limit: Offset): Either.Either<ReadonlyArray<DecodedBatch>, LogFault> {
    const at = this.appendOf(from)
    if (at === undefined) return Either.right([])
    for (let offset = this.offsets[at] as Offset; offset < limit; ) {
      const batches = this.batchesAt(offset, limit, maxBytes)
      if (Either.isLeft(batches)) return batches
      const appends = batches.right.filter((each) => !isPart(each))
      const last = batches.right.at(-1)
      if (appends.length > 0 || last === undefined) return Either.right(appends)
      offset = last.batch.nextOffset
    }
    return Either.right([])
  }

  /** Returns the bytes of the newest whole snapshot. */
  readSnapshot({ offset, parts }: SnapshotRun, limit: Offset): Either.Either<Uint8Array, LogFault> {
    const values: Array<Uint8Array> = []
    for (let at = offset; values.length < parts; ) {
      const batches = this.batchesAt(at, limit)
      if (Either.isLeft(batches)) return Either.left(batches.left)
      const last = batches.right.at(-1)
      if (last === undefined) return Either.left(this.damaged(`at ${at}: the snapshot at ${offset} has ${values.length} of ${parts} parts`))
      for (const each of batches.right) if (isPart(each) && values.length < parts) values.push(each.entries[0]?.value ?? new Uint8Array(0))
      at = last.batch.nextOffset
    }
    return Either.right(joined(values))
  }

  /** The place of the append that holds an index. */
  private appendOf(index: number): number | undefined {
    if (index >= this.end || this.indexes.length === 0) return undefined
    let [low, high] = [0, this.indexes.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.indexes[middle] as number) <= index) low = middle
      else high = middle - 1
    }
    return low
  }

  private batchesAt(offset: Offset, limit: Offset, maxBytes = readBytesMax): Either.Either<ReadonlyArray<DecodedBatch>, LogFault> {
    return Either.map(
      Either.flatMap(this.partition.read(offset, maxBytes, limit), (runs) => decodeBatches(this.stream, runs, this.crc32c)),
      // The first batch may begin before the offset.
      (batches) => batches.filter(({ batch }) => batch.nextOffset > offset)
    )
  }

  private take(decoded: DecodedBatch, run: Run): LogFault | undefined {
    const { batch, entries, numberOf } = decoded
    if (isPart(decoded)) {
      const whole = run.take(decoded)
      if (whole === undefined) return undefined
      if (this.next !== undefined && whole.index > this.next)
        return this.damaged(`at ${batch.baseOffset}: a snapshot at ${whole.index}, and the entries end at ${this.next}`)
      this.snapshotted(whole)
      return undefined
    }
    const index = numberOf(headerOf.index)
    if (index === undefined) return this.damaged(`at ${batch.baseOffset}: the batch has no index`)
    if (this.next !== undefined && index !== this.next) return this.damaged(`at ${batch.baseOffset}: entry ${index} follows entry ${this.next - 1}`)
    this.next = index
    this.appended(batch.baseOffset, entries.length)
    return undefined
  }

  private damaged(what: string): LogFault {
    return new LogFault({ path: this.stream, reason: "corrupt", message: `The stream ${this.stream} is damaged ${what}. Restore its log from a copy.` })
  }
}

/** The entries of an append with their indexes. */
const indexed = ({ entries, numberOf }: DecodedBatch): ReadonlyArray<StoredEntry> => {
  const first = numberOf(headerOf.index) ?? 0
  return entries.map((entry, nth) => ({ ...entry, index: first + nth }))
}

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
