import { Chunk, Clock, type Context, Deferred, Effect, Either, ExecutionStrategy, Exit, Layer, Option, Scope, Stream } from "effect"
import type { Epoch } from "../../domain/kernel/id.ts"
import { RecordBatch, readableBatches, verify } from "../../domain/log/batch.ts"
import { readInt64, writeInt64 } from "../../domain/log/int.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { Conflict, type Entry, Fenced, Journal, NotWritten, type Snapshot, type StoredEntry, Unknown } from "../../src/ports/journal.ts"
import { defaultLogConfig, type LogConfig, LogFault, LogStore, type PartitionLog } from "../../src/ports/log-store.ts"
import { decodeEntries, encodeEntries } from "./entry-record.ts"
import { placeOf, type StreamPlace } from "./stream-place.ts"

/**
 * Small segments that go soon: a journal is let go of in whole segments after a snapshot, and members that join and leave without end must not fill a disk meanwhile. Followers
 * fold it from its start, so all of it is looked at before that.
 */
const journalLogConfig: LogConfig = { ...defaultLogConfig, segmentBytesMax: 16_777_216, fileDeleteDelayMs: 1000, readsWholeAtOpen: true }
const readBytesMax = 1_048_576
const int64Bytes = 8

const epochName = ({ name }: StreamPlace): string => `${name}.epoch`
const snapshotName = ({ name }: StreamPlace): string => `${name}.snapshot`

/** A stream that somebody holds. */
interface OpenStream {
  readonly place: StreamPlace
  readonly log: PartitionLog
  readonly scope: Scope.CloseableScope
  /** The newest: whoever has an older one is fenced. */
  epoch: Epoch
  holders: number
  readonly damaged: Deferred.Deferred<never, LogFault>
  /** Why nothing is appended any more, once an append's result is not known. Whoever opens the stream again reads what is there. */
  refused: unknown
}

const int64 = (value: number, rest: Uint8Array = new Uint8Array(0)): Uint8Array => {
  const bytes = new Uint8Array(int64Bytes + rest.length)
  writeInt64(bytes, 0, value)
  bytes.set(rest, int64Bytes)
  return bytes
}

const lastEpoch = (log: PartitionLog): Effect.Effect<Epoch, LogFault> => {
  let epoch = -1
  if (log.end() === log.start()) return Effect.succeed(epoch)
  return Effect.map(
    log.scan(log.end() - 1, (batch) => {
      epoch = batch.partitionLeaderEpoch
    }),
    () => epoch
  )
}

class LogJournal {
  private readonly streams = new Map<string, OpenStream>()
  /** A stream is opened and let go of by one at a time: two that open the same one must get different epochs. As many as there are streams. */
  private readonly turns = new Map<string, Effect.Semaphore>()

  constructor(
    private readonly logs: Context.Tag.Service<LogStore>,
    private readonly checksum: Context.Tag.Service<Checksum>,
    private readonly layerScope: Scope.Scope
  ) {}

  readonly open: Context.Tag.Service<Journal>["open"] = (stream) =>
    Effect.acquireRelease(this.inTurn(stream, this.take(stream)), (taken) => this.inTurn(stream, this.letGo(stream, taken))).pipe(
      Effect.map(({ end, epoch, held, start }) => ({ start, end, epoch, damaged: Deferred.await(held.damaged) }))
    )

  readonly append: Context.Tag.Service<Journal>["append"] = (stream, epoch, expected, entries) =>
    Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<void, Fenced | Conflict | NotWritten | Unknown> => {
      const open = this.streams.get(stream)
      if (open === undefined) return Effect.fail(new NotWritten({ stream, cause: notOpen(stream) }))
      if (epoch !== open.epoch) return Effect.fail(new Fenced({ stream, epoch, newerEpoch: open.epoch }))
      if (open.refused !== undefined) return Effect.fail(new Unknown({ stream, cause: open.refused }))
      const end = open.log.end()
      if (expected !== end) return Effect.fail(new Conflict({ stream, expected, end }))
      return entries.length === 0 ? Effect.void : this.write(stream, open, entries, now)
    })

  readonly read: Context.Tag.Service<Journal>["read"] = (stream, from) =>
    Stream.unwrap(
      Effect.gen(this, function* () {
        const { log } = yield* this.opened(stream)
        if (from < log.start()) return yield* trimmed(stream, from, log.start())
        const end = log.syncedEnd()
        return Stream.unfoldChunkEffect(from, (at) => Effect.map(this.entriesAt(stream, log, at, end), nextOf))
      })
    )

  readonly batches: Context.Tag.Service<Journal>["batches"] = (stream, from, maxBytes) =>
    Either.flatMap(this.opened(stream), (open) => {
      const { log } = open
      if (from < log.start()) return Either.left(trimmed(stream, from, log.start()))
      const read = log.read(from, maxBytes, log.syncedEnd())
      const wrong = Either.isRight(read) ? this.firstWrong(open, read.right) : undefined
      if (wrong === undefined) return read
      markDamaged(open, wrong)
      return Either.left(wrong)
    })

  /** What is damaged in runs of batches as the disk has them: followers fold what they are sent, so damage ends the leadership before it is sent. */
  private firstWrong({ place }: OpenStream, runs: ReadonlyArray<Uint8Array>): LogFault | undefined {
    const { crc32c } = this.checksum
    const path = `${this.logs.directories[0]?.path ?? "."}/${place.topicId}-${place.partition}`
    for (const run of runs) {
      const batches = readableBatches(run)
      if (Either.isLeft(batches)) return unreadable(path, "between batches", batches.left.reason)
      for (const batch of batches.right) {
        const wrong = verify(batch, crc32c)
        if (wrong !== undefined) return unreadable(path, `at offset ${batch.baseOffset}`, wrong.reason)
      }
    }
    return undefined
  }

  readonly trim: Context.Tag.Service<Journal>["trim"] = (stream, index) =>
    Effect.gen(this, function* () {
      const { log } = yield* this.opened(stream)
      const snapshot = yield* this.loadSnapshot(stream)
      if (snapshot === undefined || snapshot.index < index)
        return yield* new LogFault({ path: stream, reason: "io", message: `${stream} is not trimmed to ${index}: there is no snapshot at or after it.` })
      yield* log.deleteBefore(index)
    })

  readonly saveSnapshot: Context.Tag.Service<Journal>["saveSnapshot"] = (stream, { index, value }) =>
    Effect.gen(this, function* () {
      const { log, place } = yield* this.opened(stream)
      // A snapshot that is ahead of the durable entries would survive a crash that they do not.
      if (index > log.syncedEnd()) yield* log.sync
      if (index > log.syncedEnd())
        return yield* new LogFault({ path: stream, reason: "io", message: `A snapshot at ${index} is ahead of ${stream}, which ends at ${log.syncedEnd()}.` })
      yield* this.logs.writeCheckpoint(snapshotName(place), int64(index, value))
    })

  readonly loadSnapshot = (stream: string): Effect.Effect<Snapshot | undefined, LogFault> =>
    Effect.gen(this, function* () {
      const [bytes] = yield* this.logs.readCheckpoint(snapshotName(yield* knownPlace(stream)))
      return bytes === undefined ? undefined : { index: readInt64(bytes, 0), value: bytes.subarray(int64Bytes) }
    })

  private inTurn<A, E, R>(stream: string, use: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const turn = this.turns.get(stream) ?? Effect.unsafeMakeSemaphore(1)
      this.turns.set(stream, turn)
      return turn.withPermits(1)(use)
    })
  }

  private opened(stream: string): Either.Either<OpenStream, LogFault> {
    const open = this.streams.get(stream)
    return open === undefined
      ? Either.left(notOpen(stream))
      : Either.right(open)
  }

  private take(stream: string): Effect.Effect<{ readonly start: number; readonly end: number; readonly epoch: Epoch; readonly held: OpenStream }, LogFault> {
    return Effect.gen(this, function* () {
      const place = yield* knownPlace(stream)
      const before = this.streams.get(stream)
      // What is on the disk after an unknown result is found by recovery, as after a crash.
      if (before?.refused !== undefined) yield* this.close(stream, before)
      const held = this.streams.get(stream) ?? (yield* this.openLog(place))
      const isNew = held.holders === 0
      const taken = yield* Effect.onError(this.nextEpoch(stream, held), () => (isNew ? Scope.close(held.scope, Exit.void) : Effect.void))
      held.epoch = taken.epoch
      held.holders++
      this.streams.set(stream, held)
      return { ...taken, held }
    }).pipe(Effect.uninterruptible)
  }

  private openLog(place: StreamPlace): Effect.Effect<OpenStream, LogFault> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.layerScope, ExecutionStrategy.sequential)
      // The epoch is written when the name of the log is durable: where the checkpoint is, the log must be.
      const wasThere = (yield* this.logs.readCheckpoint(epochName(place))).length > 0
      const log = yield* this.logs.open(place.topicId, place.partition, { ...journalLogConfig, wasThere }).pipe(
        Scope.extend(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      const damaged = yield* Deferred.make<never, LogFault>()
      const open: OpenStream = { place, log, scope, damaged, epoch: -1, holders: 0, refused: undefined }
      log.onDamage((fault) => markDamaged(open, fault))
      return open
    })
  }

  /** One over the highest that is known, from the batches and from a checkpoint: a holder that has appended nothing has left no batch. Durable before anybody decides under it. */
  private nextEpoch(stream: string, { epoch, log, place }: OpenStream) {
    return Effect.gen(this, function* () {
      yield* log.sync
      const [stored] = yield* this.logs.readCheckpoint(epochName(place))
      const next = Math.max(epoch, stored === undefined ? -1 : readInt64(stored, 0), yield* lastEpoch(log)) + 1
      yield* this.logs.writeCheckpoint(epochName(place), int64(next))
      const snapshot = yield* this.loadSnapshot(stream)
      const end = log.end()
      if (snapshot !== undefined && snapshot.index > end)
        return yield* new LogFault({
          path: stream,
          reason: "corrupt",
          message: `The journal ${stream} ends at ${end}, before its own snapshot at ${snapshot.index}: entries that were durable are gone. Restore its log from a copy.`
        })
      return { start: log.start(), end, epoch: next }
    })
  }

  private letGo(stream: string, { held }: { readonly held: OpenStream }): Effect.Effect<void> {
    return Effect.suspend(() => {
      held.holders--
      return held.holders === 0 && this.streams.get(stream) === held ? this.close(stream, held) : Effect.void
    })
  }

  private close(stream: string, held: OpenStream): Effect.Effect<void> {
    this.streams.delete(stream)
    return Scope.close(held.scope, Exit.void)
  }

  /** Appends one batch and waits until it is durable. From the checks before it to the append nothing waits, so nobody comes between. */
  private write(stream: string, open: OpenStream, entries: ReadonlyArray<Entry>, now: number): Effect.Effect<void, NotWritten | Unknown> {
    const bytes = encodeEntries(entries, open.log.end(), open.epoch, now, this.checksum.crc32c)
    const appended = open.log.append([new RecordBatch(bytes)])
    if (Either.isLeft(appended)) {
      const fault = appended.left
      // A full or read-only disk took nothing, or the log cut off what it took. The cut is made durable before a later append.
      if (fault.reason === "full" || fault.reason === "read-only")
        return Effect.zipRight(Effect.ignore(open.log.sync), Effect.fail(new NotWritten({ stream, cause: fault })))
      open.refused = fault
      return Effect.fail(new Unknown({ stream, cause: fault }))
    }
    return Effect.mapError(open.log.sync, (fault) => {
      open.refused = fault
      return new Unknown({ stream, cause: fault })
    })
  }

  private entriesAt(stream: string, log: PartitionLog, at: number, end: number): Either.Either<Chunk.Chunk<StoredEntry>, LogFault> {
    if (at >= end) return Either.right(Chunk.empty())
    return Either.map(
      Either.flatMap(log.read(at, readBytesMax, end), (runs) => decodeEntries(stream, runs, this.checksum.crc32c)),
      // The batch that holds the first entry may begin before it.
      Chunk.filter(({ index }) => index >= at && index < end)
    )
  }
}

const markDamaged = (open: OpenStream, fault: LogFault): void => {
  open.refused = fault
  Deferred.unsafeDone(open.damaged, Exit.fail(fault))
}

const unreadable = (path: string, where: string, reason: string): LogFault =>
  new LogFault({
    path,
    reason: "corrupt",
    message: `The log ${path} is damaged ${where}: ${reason.replace(/\.$/, "")}. Nothing was changed. \`franz log verify ${path}\` names the file and the byte; restore the directory from a copy.`
  })

const nextOf = (entries: Chunk.Chunk<StoredEntry>): Option.Option<readonly [Chunk.Chunk<StoredEntry>, number]> =>
  Option.map(Chunk.last(entries), ({ index }) => [entries, index + 1] as const)

const trimmed = (stream: string, from: number, start: number): LogFault =>
  new LogFault({ path: stream, reason: "io", message: `${stream} has no entry ${from} any more: it starts with ${start}, what was before is in a snapshot.` })

const notOpen = (stream: string): LogFault => new LogFault({ path: stream, reason: "offline", message: `The stream ${stream} is not open.` })

const knownPlace = (stream: string): Either.Either<StreamPlace, LogFault> =>
  Either.fromNullable(placeOf(stream), () => new LogFault({ path: stream, reason: "io", message: `No stream is called '${stream}'.` }))

/** The journal in logs of a LogStore, which keeps them in one directory: each stream a partition, each append a batch, each entry a record. So any Kafka consumer can read it. */
export const layer: Layer.Layer<Journal, never, LogStore | Checksum> = Layer.scoped(
  Journal,
  Effect.gen(function* () {
    const journal = new LogJournal(yield* LogStore, yield* Checksum, yield* Effect.scope)
    const { append, batches, loadSnapshot, open, read, saveSnapshot, trim } = journal
    return { append, batches, loadSnapshot, open, read, saveSnapshot, trim }
  })
)
