import { Chunk, Clock, type Context, Effect, Either, ExecutionStrategy, Exit, Layer, Option, Scope, Stream } from "effect"
import { bug } from "../../domain/kernel/bug.ts"
import type { Epoch } from "../../domain/kernel/id.ts"
import { RecordBatch, readableBatches, verify } from "../../domain/log/batch.ts"
import { readInt64, writeInt64 } from "../../domain/log/int.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { decodeEntries, encodeEntries } from "../../src/ports/entry-record.ts"
import { Conflict, type Entry, Fenced, Journal, NotWritten, type Snapshot, type StoredEntry, type Taken, Unknown } from "../../src/ports/journal.ts"
import { defaultLogConfig, type LogConfig, LogFault, LogStore, type PartitionLog } from "../../src/ports/log-store.ts"
import { StreamReaders } from "../../src/ports/stream-readers.ts"
import { decodeSnapshot, encodeSnapshot, snapshotName } from "./snapshot-document.ts"
import { StreamHolders } from "./stream-holders.ts"
import { epochName, partitionOfStream, type StreamPartition } from "./stream-partition.ts"

/**
 * Small segments that are deleted soon: a journal is trimmed by whole segments after a snapshot, and members that join
 * and leave all the time must not fill a disk meanwhile. Followers fold the journal from its start, so all of it is
 * verified when it is opened.
 */
const journalLogConfig: LogConfig = { ...defaultLogConfig, segmentBytesMax: 16_777_216, fileDeleteDelayMs: 1000, readsWholeAtOpen: true }
const readBytesMax = 1_048_576
const int64Bytes = 8

/** A stream that has holders. */
interface OpenStream {
  readonly at: StreamPartition
  readonly log: PartitionLog
  readonly scope: Scope.CloseableScope
  /** The newest epoch: a holder of an older one is fenced. */
  epoch: Epoch
  readonly holders: StreamHolders
  readonly readers: StreamReaders
  /**
   * Why the stream takes no more entries: the result of an append is not known, or damage was found. The next holder
   * reads what the disk has.
   */
  refused: unknown
}

const int64 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(int64Bytes)
  writeInt64(bytes, 0, value)
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
  /**
   * One caller at a time opens or releases a stream: two that open the same stream must get different epochs. As many
   * as there are streams.
   */
  private readonly turns = new Map<string, Effect.Semaphore>()

  constructor(
    private readonly logs: Context.Tag.Service<LogStore>,
    private readonly checksum: Context.Tag.Service<Checksum>,
    private readonly layerScope: Scope.Scope
  ) {}

  readonly campaign: Context.Tag.Service<Journal>["campaign"] = (stream) =>
    Effect.acquireRelease(this.inTurn(stream, this.take(stream)), (taken) => this.inTurn(stream, this.release(stream, taken))).pipe(
      Effect.map(({ end, epoch, isHeld, lost, start }) => ({ start, end, epoch, lost, isHeld }))
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

  readonly follow: Context.Tag.Service<Journal>["follow"] = (stream, from) =>
    Stream.unwrap(
      Effect.gen(this, function* () {
        const open = yield* this.opened(stream)
        return Stream.unfoldChunkEffect(from, (at) => Effect.map(this.following(stream, open, at), nextOf))
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

  /**
   * Returns the first damage in runs of batches from the disk: followers fold the batches that they are sent, so damage
   * must end the leadership before.
   */
  private firstWrong({ at }: OpenStream, runs: ReadonlyArray<Uint8Array>): LogFault | undefined {
    const { crc32c } = this.checksum
    const path = `${this.logs.directories[0]?.path ?? "."}/${at.topicId}-${at.partition}`
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
      return log.start()
    })

  readonly saveSnapshot: Context.Tag.Service<Journal>["saveSnapshot"] = (stream, { index, value }) =>
    Effect.gen(this, function* () {
      const { at, log } = yield* this.opened(stream)
      // A snapshot that is ahead of the durable entries would survive a crash that the entries do not survive.
      if (index > log.syncedEnd()) yield* log.sync
      if (index > log.syncedEnd())
        return yield* new LogFault({ path: stream, reason: "io", message: `A snapshot at ${index} is ahead of ${stream}, which ends at ${log.syncedEnd()}.` })
      yield* this.logs.writeCheckpoint(snapshotName(at), encodeSnapshot({ index, value }))
    })

  readonly loadSnapshot = (stream: string): Effect.Effect<Snapshot | undefined, LogFault> =>
    Effect.gen(this, function* () {
      const [bytes] = yield* this.logs.readCheckpoint(snapshotName(yield* knownPartition(stream)))
      return bytes === undefined ? undefined : decodeSnapshot(bytes)
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
    return open === undefined ? Either.left(notOpen(stream)) : Either.right(open)
  }

  private take(stream: string): Effect.Effect<Taken & { readonly held: OpenStream }, LogFault> {
    return Effect.gen(this, function* () {
      const at = yield* knownPartition(stream)
      const before = this.streams.get(stream)
      // After an unknown result recovery finds what the disk has, as after a crash.
      if (before?.refused !== undefined) yield* this.close(stream, before)
      const held = this.streams.get(stream) ?? (yield* this.openLog(at))
      const isNew = held.holders.count === 0
      const taken = yield* Effect.onError(this.nextEpoch(stream, held), () => (isNew ? Scope.close(held.scope, Exit.void) : Effect.void))
      held.epoch = taken.epoch
      before?.holders.fence(stream, taken.epoch)
      this.streams.set(stream, held)
      return { ...taken, held, ...held.holders.add(stream, taken.epoch) }
    }).pipe(Effect.uninterruptible)
  }

  private openLog(at: StreamPartition): Effect.Effect<OpenStream, LogFault> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.layerScope, ExecutionStrategy.sequential)
      // The epoch is written after the log's directory is durable: where the checkpoint exists, the log must exist.
      const wasThere = (yield* this.logs.readCheckpoint(epochName(at))).length > 0
      const log = yield* this.logs.open(at.topicId, at.partition, { ...journalLogConfig, wasThere }).pipe(
        Scope.extend(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      const open: OpenStream = { at, log, scope, epoch: -1, holders: new StreamHolders(), readers: new StreamReaders(), refused: undefined }
      log.onDamage((fault) => markDamaged(open, fault))
      return open
    })
  }

  /**
   * Returns one over the highest epoch of the batches and of the checkpoint: a holder that appended nothing left no
   * batch. The epoch is durable before the holder decides under it.
   */
  private nextEpoch(stream: string, { at, epoch, log }: OpenStream) {
    return Effect.gen(this, function* () {
      yield* log.sync
      const [stored] = yield* this.logs.readCheckpoint(epochName(at))
      const next = Math.max(epoch, stored === undefined ? -1 : readInt64(stored, 0), yield* lastEpoch(log)) + 1
      yield* this.logs.writeCheckpoint(epochName(at), int64(next))
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

  private release(stream: string, { epoch, held }: { readonly epoch: Epoch; readonly held: OpenStream }): Effect.Effect<void> {
    return Effect.suspend(() => {
      held.holders.remove(epoch)
      return held.holders.count === 0 && this.streams.get(stream) === held ? this.close(stream, held) : Effect.void
    })
  }

  private close(stream: string, held: OpenStream): Effect.Effect<void> {
    this.streams.delete(stream)
    held.readers.wake()
    return Scope.close(held.scope, Exit.void)
  }

  /**
   * Appends one batch and waits until it is durable. Nothing waits between the checks of `append` and this append, so
   * no other append comes between them.
   */
  private write(stream: string, open: OpenStream, entries: ReadonlyArray<Entry>, now: number): Effect.Effect<void, NotWritten | Unknown> {
    const first = open.log.end()
    const bytes = encodeEntries(entries, first, open.epoch, now, this.checksum.crc32c)
    const appended = open.log.append([new RecordBatch(bytes)])
    if (Either.isLeft(appended)) {
      const fault = appended.left
      // A full or read-only disk took nothing, or the log cut off what it took. The cut is made durable before a later
      // append.
      if (fault.reason === "full" || fault.reason === "read-only")
        return Effect.zipRight(Effect.ignore(open.log.sync), Effect.fail(new NotWritten({ stream, cause: fault })))
      open.refused = fault
      return Effect.fail(new Unknown({ stream, cause: fault }))
    }
    const end = first + entries.length
    if (open.log.end() !== end) bug(`${stream}: ${entries.length} entries were appended at ${first}, and the log ends at ${open.log.end()}`)
    return open.log.sync.pipe(
      Effect.mapError((fault) => {
        open.refused = fault
        return new Unknown({ stream, cause: fault })
      }),
      Effect.map(() => {
        if (open.log.syncedEnd() < end) bug(`${stream}: a sync ended, and entry ${end - 1} is not durable: the log is up to ${open.log.syncedEnd()}`)
        open.readers.wake()
      })
    )
  }

  /** The entries from `at` on that are durable, once there is one. */
  private following(stream: string, open: OpenStream, at: number): Effect.Effect<Chunk.Chunk<StoredEntry>, LogFault> {
    const { log, readers } = open
    const isReleased = () => this.streams.get(stream) !== open
    return Effect.suspend(() => {
      if (isReleased()) return Effect.fail(notOpen(stream))
      if (at < log.start()) return Effect.fail(trimmed(stream, at, log.start()))
      if (at < log.syncedEnd()) return this.entriesAt(stream, log, at, log.syncedEnd())
      const come = readers.until(() => isReleased() || at < log.syncedEnd())
      return Effect.zipRight(come, this.following(stream, open, at))
    })
  }

  private entriesAt(stream: string, log: PartitionLog, at: number, end: number): Either.Either<Chunk.Chunk<StoredEntry>, LogFault> {
    return Either.map(
      Either.flatMap(log.read(at, readBytesMax, end), (runs) => decodeEntries(stream, runs, this.checksum.crc32c)),
      // The batch of the first entry may begin before it.
      Chunk.filter(({ index }) => index >= at && index < end)
    )
  }
}

const markDamaged = (open: OpenStream, fault: LogFault): void => {
  open.refused = fault
  open.holders.stop(fault)
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
  new LogFault({
    path: stream,
    reason: "io",
    message: `${stream} has no entry ${from} any more: it starts with ${start}, and a snapshot covers the entries before it.`
  })

const notOpen = (stream: string): LogFault => new LogFault({ path: stream, reason: "offline", message: `The stream ${stream} is not open.` })

const knownPartition = (stream: string): Either.Either<StreamPartition, LogFault> =>
  Either.fromNullable(partitionOfStream(stream), () => new LogFault({ path: stream, reason: "io", message: `No stream is called '${stream}'.` }))

/**
 * The journal in the logs of a LogStore with one directory: each stream is a partition, each append a batch, each entry
 * a record, so that any Kafka consumer can read it.
 */
export const layer: Layer.Layer<Journal, never, LogStore | Checksum> = Layer.scoped(
  Journal,
  Effect.gen(function* () {
    const journal = new LogJournal(yield* LogStore, yield* Checksum, yield* Effect.scope)
    const { append, batches, campaign, follow, loadSnapshot, saveSnapshot, trim } = journal
    return { append, batches, campaign, follow, loadSnapshot, saveSnapshot, trim }
  })
)
