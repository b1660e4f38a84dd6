import { Clock, Effect, Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { fieldAt } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt64 } from "../../../domain/log/int.ts"
import { encodeBatchOf } from "../../ports/entry-record.ts"
import { Conflict, type Entry, Fenced, NotWritten, type Snapshot, type StoredEntry, Unknown } from "../../ports/journal.ts"
import { LogFault } from "../../ports/log-store.ts"
import { StreamReaders } from "../../ports/stream-readers.ts"
import type { LedPartition } from "./led-partition.ts"
import { headerOf, type StreamLog } from "./stream-log.ts"

/** Bytes of a snapshot in one record: a follower fetches several of them at a time. */
const partBytesMax = 512 * 1024

type AppendFault = Fenced | Conflict | NotWritten | Unknown

/** The leadership of the partition has ended. */
class Ended {
  readonly _tag = "Ended"
}
/** What becomes of a batch that is appended. */
type Committing = Effect.Effect<void, Ended | LogFault>

/** A stream whose partition this process leads, from the moment that all of it is committed and read. */
export class HeldPartition {
  readonly readers = new StreamReaders()
  /** All entries before it are committed. */
  private committed: number
  /** The end of the log up to which everything is committed. */
  private committedOffset: Offset
  /** The result of an append is not known. */
  private refused: unknown
  private readonly oneSnapshotAtATime = Effect.unsafeMakeSemaphore(1)

  constructor(
    readonly partition: LedPartition,
    private readonly log: StreamLog,
    private readonly crc32c: Crc32c
  ) {
    this.committed = log.end
    this.committedOffset = partition.end()
  }

  get stream(): string {
    return this.log.stream
  }
  get start(): number {
    return this.log.start
  }
  get end(): number {
    return this.log.end
  }
  get durableEnd(): number {
    return this.committed
  }
  get isEmpty(): boolean {
    return this.log.isEmpty
  }
  get fenced(): Fenced {
    return new Fenced({ stream: this.stream, epoch: this.partition.epoch, newerEpoch: this.partition.newestEpoch() })
  }

  /** As `append` of the port, under the epoch of this leadership. */
  append(expected: number, entries: ReadonlyArray<Entry>): Effect.Effect<void, AppendFault> {
    return Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<void, AppendFault> => {
      const { stream } = this
      if (!this.partition.isHeld()) return Effect.fail(this.fenced)
      if (this.refused !== undefined) return Effect.fail(new Unknown({ stream, cause: this.refused }))
      if (expected !== this.end) return Effect.fail(new Conflict({ stream, expected, end: this.end }))
      if (entries.length === 0) return Effect.void
      const offset = this.partition.end()
      const written = this.write(entries, { [headerOf.index]: expected }, now)
      if (Either.isLeft(written)) return Effect.fail(written.left)
      this.log.appended(offset, entries.length)
      const end = expected + entries.length
      const done = Effect.map(written.right, () => {
        if (end > this.committed) this.committed = end
        this.readers.wake()
      })
      return Effect.mapError(done, (fault): AppendFault => {
        // Entries of a leadership that has ended may be cut away or kept by the next leader: nothing is appended here any more.
        this.refused = fault
        return fault._tag === "Ended" ? this.fenced : new Unknown({ stream, cause: fault })
      })
    })
  }

  /** Writes a snapshot of the state before `index`, which is committed, as a run of entries. */
  saveSnapshot({ index, value }: Snapshot): Effect.Effect<void, LogFault> {
    const write = Effect.gen(this, function* () {
      if (index > this.committed && !this.isEmpty)
        return yield* this.fault("io", `A snapshot at ${index} is ahead of ${this.stream}, which ends at ${this.committed}.`)
      const parts = Math.max(1, Math.ceil(value.length / partBytesMax))
      let offset: Offset | undefined
      for (let part = 0; part < parts; part++) {
        const at = this.partition.end()
        offset ??= at
        const bytes = value.subarray(part * partBytesMax, (part + 1) * partBytesMax)
        const numbers = { [headerOf.index]: index, [headerOf.part]: part, [headerOf.parts]: parts }
        yield* this.writePart(bytes, numbers)
      }
      if (offset !== undefined) this.log.snapshotted({ index, offset, parts })
      if (index > this.committed) this.committed = index
    })
    return this.oneSnapshotAtATime.withPermits(1)(write)
  }

  /** Returns the newest snapshot; undefined where there is none, and for that of an empty state before the first entry. */
  get snapshot(): Either.Either<Snapshot | undefined, LogFault> {
    const { snapshot } = this.log
    if (snapshot === undefined) return Either.right(undefined)
    const { index } = snapshot
    return Either.map(this.log.readSnapshot(snapshot, this.committedOffset), (value) => (value.length === 0 ? undefined : { index, value }))
  }

  trim(index: number): Effect.Effect<number, LogFault> {
    return Effect.suspend(() => {
      const { snapshot } = this.log
      if (snapshot === undefined || snapshot.index < index)
        return this.fault("io", `${this.stream} is not trimmed to ${index}: there is no snapshot at or after it.`)
      const offset = this.log.offsetBefore(index)
      if (offset <= this.partition.start()) return Effect.succeed(this.start)
      return Effect.map(this.partition.raiseStart(offset), () => {
        this.log.forgetBefore(offset)
        return this.start
      })
    })
  }

  /** Returns committed entries from `from` on, as many as one read has; none at the end. */
  entries(from: number): Either.Either<ReadonlyArray<StoredEntry>, LogFault> {
    return Either.flatMap(this.known(from), () => this.log.entries(from, this.committed, this.committedOffset))
  }

  /** Returns copies of the committed batches of entries from the one that holds `from`; their base offsets are indexes. */
  batches(from: number, maxBytes: number): Either.Either<ReadonlyArray<Uint8Array>, LogFault> {
    const appends = Either.flatMap(this.known(from), () => this.log.appendsFrom(from, maxBytes, this.committedOffset))
    return Either.map(appends, (all) => all.map((each) => atIndex(each.batch.bytes, each.numberOf(headerOf.index) ?? 0)))
  }

  private known(from: number): Either.Either<void, LogFault> {
    if (from >= this.start) return Either.void
    const message = `${this.stream} has no entry ${from} any more: it starts with ${this.start}, and a snapshot covers the entries before it.`
    return Either.left(new LogFault({ path: this.stream, reason: "io", message }))
  }

  private writePart(value: Uint8Array, numbers: Readonly<{ [name: string]: number }>): Effect.Effect<void, LogFault> {
    const entry: Entry = { commandId: "", actor: "coordinator", cause: "snapshot", type: snapshotType, value }
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (!this.partition.isHeld()) return this.fault("offline", notLed(this.stream))
      const written = this.write([entry], numbers, now)
      if (Either.isRight(written)) return Effect.catchTag(written.right, "Ended", () => this.fault("offline", notLed(this.stream)))
      const { left } = written
      return Effect.fail(left._tag === "NotWritten" ? left.cause : faultOf(this.stream, left))
    })
  }

  /** Appends one batch. The effect waits until it is committed. */
  private write(
    entries: ReadonlyArray<Entry>,
    numbers: Readonly<{ [name: string]: number }>,
    now: number
  ): Either.Either<Committing, Fenced | NotWritten | Unknown> {
    const { crc32c, partition, stream } = this
    const appended = partition.append(encodeBatchOf(entries, { baseOffset: 0, epoch: partition.epoch, timestamp: now, numbers }, crc32c), now)
    if (Either.isLeft(appended)) {
      const { fault, tookNothing } = appended.left
      if (!partition.isHeld()) return Either.left(this.fenced)
      if (tookNothing) return Either.left(new NotWritten({ stream, cause: fault }))
      this.refused = fault
      return Either.left(new Unknown({ stream, cause: fault }))
    }
    const end = partition.end()
    return Either.right(
      Effect.async<void, Ended | LogFault>((resume) => {
        const cancel = partition.whenCommitted(end, (fault) => {
          if (fault !== undefined) return resume(Effect.fail(fault))
          // Whether they are committed is for the next leader to find out.
          if (!partition.isHeld()) return resume(Effect.fail(new Ended()))
          this.committedOffset = Math.max(this.committedOffset, end)
          resume(Effect.void)
        })
        return Effect.sync(cancel)
      })
    )
  }

  private fault(reason: LogFault["reason"], message: string): Effect.Effect<never, LogFault> {
    return Effect.fail(new LogFault({ path: this.stream, reason, message }))
  }
}

/** The type of the entries that are parts of a snapshot: a replay passes over them. */
const snapshotType = "Snapshot"

export const notLed = (stream: string): string => `This process does not lead the partition of ${stream}.`

const faultOf = (stream: string, { _tag }: Fenced | Unknown): LogFault =>
  new LogFault({ path: stream, reason: "offline", message: _tag === "Fenced" ? notLed(stream) : `${stream} takes no more entries.` })

/** A copy of a batch with another base offset, which its checksum does not cover. */
const atIndex = (bytes: Uint8Array, index: number): Uint8Array => {
  const copy = bytes.slice()
  writeInt64(copy, fieldAt.baseOffset, index)
  return copy
}
