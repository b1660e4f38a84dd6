import { Chunk, Clock, type Context, Effect, Either, Layer, Option, Stream } from "effect"
import type { Epoch } from "../../domain/kernel/id.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { decodeEntries, encodeEntries } from "../../src/ports/entry-record.ts"
import { Conflict, type Entry, Fenced, Journal, NotWritten, type Snapshot, type StoredEntry } from "../../src/ports/journal.ts"
import { LogFault } from "../../src/ports/log-store.ts"
import { StreamReaders } from "../../src/ports/stream-readers.ts"
import { StreamHolders } from "./stream-holders.ts"
import { partitionOfStream } from "./stream-partition.ts"

const readBytesMax = 1_048_576

type Service = Context.Tag.Service<Journal>

/** The entries of one append as one record batch: from the index `first`, up to and without `end`. */
interface StoredBatch {
  readonly first: number
  readonly end: number
  readonly bytes: Uint8Array
}

/** A stream as it would be on a disk. */
class MemoryStream {
  private batches: Array<StoredBatch> = []
  /** Index of the first entry, where all entries before it were trimmed. */
  private trimmedTo = 0
  /** The newest epoch; the holder of an older one is fenced. */
  epoch: Epoch = -1
  readonly holders = new StreamHolders()
  readonly readers = new StreamReaders()
  snapshot: Snapshot | undefined

  get start(): number {
    return this.batches[0]?.first ?? this.trimmedTo
  }
  get end(): number {
    return this.batches.at(-1)?.end ?? this.trimmedTo
  }

  append(entries: ReadonlyArray<Entry>, timestamp: number): void {
    const first = this.end
    this.batches.push({ first, end: first + entries.length, bytes: encodeEntries(entries, first, this.epoch, timestamp, crc32c) })
    this.readers.wake()
  }
  /** Drops the batches that end at or before `index`. */
  trim(index: number): void {
    const { end } = this
    this.batches = this.batches.filter((batch) => batch.end > index)
    if (this.batches.length === 0) this.trimmedTo = end
  }
  /** Batches from the one that holds `from`, up to `maxBytes`, but at least one. */
  from(from: number, maxBytes: number): ReadonlyArray<Uint8Array> {
    const found: Array<Uint8Array> = []
    let bytes = 0
    for (let at = this.positionOf(from); at < this.batches.length; at++) {
      const batch = this.batches[at] as StoredBatch
      bytes += batch.bytes.length
      if (found.length > 0 && bytes > maxBytes) break
      found.push(batch.bytes)
    }
    return found
  }
  /** The position of the first batch that ends after `index`. */
  private positionOf(index: number): number {
    let low = 0
    for (let high = this.batches.length; low < high; ) {
      const middle = (low + high) >>> 1
      if ((this.batches[middle] as StoredBatch).end <= index) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Streams in memory. They outlive the layers that are made of them, as a disk outlives a process. */
export class MemoryStreams {
  private readonly streams = new Map<string, MemoryStream>()

  /** The stream of this name, made when it is first asked for; undefined for a name that is none. */
  of(name: string): MemoryStream | undefined {
    if (partitionOfStream(name) === undefined) return undefined
    const stream = this.streams.get(name) ?? new MemoryStream()
    this.streams.set(name, stream)
    return stream
  }
  /** All entries of a stream. */
  entries(name: string): ReadonlyArray<StoredEntry> {
    const runs = this.of(name)?.from(0, Number.POSITIVE_INFINITY) ?? []
    return Either.match(decodeEntries(name, runs, crc32c), {
      onLeft: (fault) => {
        throw fault
      },
      onRight: Chunk.toReadonlyArray
    })
  }
}

const fault = (path: string, reason: LogFault["reason"], message: string): LogFault => new LogFault({ path, reason, message })

class MemoryJournal implements Service {
  constructor(private readonly streams: MemoryStreams) {}

  readonly campaign: Service["campaign"] = (name) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const stream = this.streams.of(name)
        if (stream === undefined) return Effect.fail(fault(name, "io", `No stream is called '${name}'.`))
        const epoch = ++stream.epoch
        return Effect.succeed({ stream, taken: { start: stream.start, end: stream.end, epoch, ...stream.holders.add(name, epoch) } })
      }),
      ({ stream, taken }) =>
        Effect.sync(() => {
          stream.holders.remove(taken.epoch)
          stream.readers.wake()
        })
    ).pipe(Effect.map(({ taken }) => taken))

  readonly append: Service["append"] = (name, epoch, expected, entries) =>
    Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<void, Fenced | Conflict | NotWritten> => {
      const opened = this.opened(name)
      if (Either.isLeft(opened)) return Effect.fail(new NotWritten({ stream: name, cause: opened.left }))
      const stream = opened.right
      if (epoch !== stream.epoch) return Effect.fail(new Fenced({ stream: name, epoch, newerEpoch: stream.epoch }))
      if (expected !== stream.end) return Effect.fail(new Conflict({ stream: name, expected, end: stream.end }))
      if (entries.length > 0) stream.append(entries, now)
      return Effect.void
    })

  readonly follow: Service["follow"] = (name, from) => Stream.unfoldChunkEffect(from, (at) => Effect.map(this.following(name, at), nextOf))

  readonly batches: Service["batches"] = (name, from, maxBytes) =>
    Either.flatMap(this.opened(name), (stream) =>
      from < stream.start
        ? Either.left(fault(name, "io", `${name} has no entry ${from} any more: it starts with ${stream.start}, and a snapshot covers the entries before it.`))
        : Either.right(stream.from(from, maxBytes))
    )

  readonly trim: Service["trim"] = (name, index) =>
    Effect.flatMap(this.opened(name), (stream) =>
      stream.snapshot === undefined || stream.snapshot.index < index
        ? Effect.fail(fault(name, "io", `${name} is not trimmed to ${index}: there is no snapshot at or after it.`))
        : Effect.sync(() => {
            stream.trim(index)
            return stream.start
          })
    )

  readonly saveSnapshot: Service["saveSnapshot"] = (name, snapshot) =>
    Effect.flatMap(this.opened(name), (stream) =>
      snapshot.index > stream.end
        ? Effect.fail(fault(name, "io", `A snapshot at ${snapshot.index} is ahead of ${name}, which ends at ${stream.end}.`))
        : Effect.sync(() => {
            stream.snapshot = { index: snapshot.index, value: snapshot.value.slice() }
          })
    )

  readonly loadSnapshot: Service["loadSnapshot"] = (name) => Effect.sync(() => this.streams.of(name)?.snapshot)

  /** The entries from `at` on, once there is one. */
  private following(name: string, at: number): Effect.Effect<Chunk.Chunk<StoredEntry>, LogFault> {
    return Effect.gen(this, function* () {
      const stream = yield* this.opened(name)
      yield* stream.readers.until(() => stream.end > at || stream.holders.count === 0)
      const entries = yield* decodeEntries(name, yield* this.batches(name, at, readBytesMax), crc32c)
      return Chunk.filter(entries, ({ index }) => index >= at)
    })
  }

  private opened(name: string): Either.Either<MemoryStream, LogFault> {
    const stream = this.streams.of(name)
    return stream !== undefined && stream.holders.count > 0 ? Either.right(stream) : Either.left(fault(name, "offline", `The stream ${name} is not open.`))
  }
}

const nextOf = (entries: Chunk.Chunk<StoredEntry>): Option.Option<readonly [Chunk.Chunk<StoredEntry>, number]> =>
  Option.map(Chunk.last(entries), ({ index }) => [entries, index + 1] as const)

/** The journal in the memory of this process, for tests and simulation. */
export const layerMemory = (streams: MemoryStreams): Layer.Layer<Journal> => Layer.sync(Journal, () => new MemoryJournal(streams))
