import { Chunk, Clock, Effect, Either, LogLevel, Option, Queue, Schedule, type Scope, Stream } from "effect"
import type { Epoch } from "../../../domain/kernel/id.ts"
import { RecordBatch } from "../../../domain/log/batch.ts"
import { decodeEntries } from "../../../src/ports/entry-record.ts"
import type { StoredEntry } from "../../../src/ports/journal.ts"
import { LogFault, type PartitionLog } from "../../../src/ports/log-store.ts"
import { RateLimitedLog } from "../../../src/ports/rate-limited-log.ts"
import { StreamReaders } from "../../../src/ports/stream-readers.ts"
import type { EtcdFault, KeyValue } from "./client.ts"
import { sameBytes } from "./entry-value.ts"
import type { StreamKeys } from "./keys.ts"
import { batchAt, damaged, type StreamAccess } from "./stream-access.ts"

const readBytesMax = 1_048_576
/** How often the stream is read beside the watch, which may hang or miss changes. */
const pollMs = 2000
/** The pause after a watch that ended. */
const watchAgain = Schedule.exponential(100).pipe(Schedule.union(Schedule.spaced(2000)))
/** Appends that one read asks for: as many as have some mebibytes, by those before. */
const appendsMax = 1000
const responseBytesMin = 1_048_576
const responseBytesMax = 4_194_304

const text = new TextDecoder()

/** What the last read of the stream's keys found. */
interface Observed {
  /** The store's revision at which it was read. */
  readonly revision: number
  /** Undefined while no candidate leads. */
  readonly leader: KeyValue | undefined
  readonly epoch: { readonly value: Epoch; readonly modRevision: number }
  readonly head: { readonly value: number; readonly modRevision: number }
}

/** Reads the keys of a stream's state. */
export const observed = (keys: StreamKeys, found: ReadonlyArray<KeyValue>, revision: number): Observed => {
  const at = (name: string) => found.find(({ key }) => key === name)
  const number = (name: string, none: number) => {
    const kv = at(name)
    return kv === undefined ? { value: none, modRevision: 0 } : { value: Number(text.decode(kv.value)), modRevision: kv.modRevision }
  }
  return { revision, leader: at(keys.leader), epoch: number(keys.epoch, -1), head: number(keys.head, 0) }
}

interface StreamParts extends StreamAccess {
  /** The local copy of the stream: what can be made anew from etcd, so it is never synced. */
  readonly log: PartitionLog
}

/**
 * A stream of etcd with its copy in a local log, from which it is read and served at once. The copy follows what any leader
 * appends: a watch wakes it, and it looks every two seconds by itself.
 */
export class FollowedStream {
  readonly readers = new StreamReaders()
  private readonly refusals = new RateLimitedLog({ intervalMs: 30_000 })
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private appends = 64
  /** The newest state that was read; undefined before the first read. */
  latest: Observed | undefined
  /** Why the copy follows no more. */
  fault: LogFault | undefined

  constructor(readonly parts: StreamParts) {}

  get start(): number {
    return this.parts.log.start()
  }
  get end(): number {
    return this.parts.log.end()
  }

  /** Follows the stream until the scope closes. */
  readonly run: Effect.Effect<void, never, Scope.Scope> = Effect.gen(this, function* () {
    const { client, keys, stream } = this.parts
    const hints = yield* Queue.sliding<void>(1)
    const watching = Stream.runForEach(client.watch(keys.state), () => Queue.offer(hints, undefined))
    yield* Effect.forkScoped(Effect.repeat(Effect.ignore(watching), watchAgain))
    const round = Effect.gen(this, function* () {
      yield* Effect.timeoutOption(Queue.take(hints), pollMs)
      yield* this.pull
    })
    const steady = Effect.catchAll(round, (fault) =>
      fault._tag === "EtcdFault"
        ? Effect.zipRight(this.refusals.log(LogLevel.Warning, "etcd", `${stream}: waiting for etcd: ${fault.message}`), Effect.sleep(500))
        : Effect.fail(fault)
    )
    yield* Effect.forkScoped(
      Effect.catchAll(Effect.forever(steady), (fault) =>
        Effect.sync(() => {
          this.fault = fault
          this.readers.wake()
        })
      )
    )
  })

  /** Reads the state of the stream and every append that the copy lacks. */
  readonly pull: Effect.Effect<Observed, EtcdFault | LogFault> = Effect.suspend(() => this.turn.withPermits(1)(this.read))

  private get read(): Effect.Effect<Observed, EtcdFault | LogFault> {
    return Effect.gen(this, function* () {
      const { client, keys, log } = this.parts
      for (;;) {
        const from = log.end()
        const wanted = client.txn({ compares: [], then: [{ range: { ...keys.entriesFrom(from), limit: this.appends } }, { range: keys.state }] })
        const found = yield* Effect.tapError(wanted, () => Effect.sync(() => (this.appends = Math.max(1, this.appends >>> 1))))
        const [entries = [], state = []] = found.ranges
        const seen = observed(keys, state, found.revision)
        if (seen.head.value < from) return yield* this.behind(seen.head.value)
        yield* this.store(entries, seen)
        if (log.end() < seen.head.value) continue
        this.latest = seen
        this.readers.wake()
        return seen
      }
    })
  }

  /** The leader's own append, after etcd has it: the copy grows without a read, unless a read was quicker. */
  appended(bytes: Uint8Array): Either.Either<void, LogFault> {
    const { log } = this.parts
    const batch = new RecordBatch(bytes)
    const done = batch.baseOffset < log.end() ? Either.void : log.append([batch])
    if (Either.isRight(done)) this.readers.wake()
    else this.fault = done.left
    return done
  }

  /** The entries from `at` on, once there is one. */
  entries(at: number): Effect.Effect<Chunk.Chunk<StoredEntry>, LogFault> {
    const { crc32c, log, stream } = this.parts
    return Effect.gen(this, function* () {
      yield* this.readers.until(() => this.fault !== undefined || at < log.end())
      if (this.fault !== undefined) return yield* this.fault
      const runs = yield* this.batches(at, readBytesMax)
      return Chunk.filter(yield* decodeEntries(stream, runs, crc32c), ({ index }) => index >= at)
    })
  }

  follow(from: number): Stream.Stream<StoredEntry, LogFault> {
    return Stream.unfoldChunkEffect(from, (at) =>
      Effect.map(this.entries(at), (found) => Option.map(Chunk.last(found), ({ index }) => [found, index + 1] as const))
    )
  }

  batches(from: number, maxBytes: number): Either.Either<ReadonlyArray<Uint8Array>, LogFault> {
    const { log, stream } = this.parts
    if (from < log.start())
      return Either.left(
        new LogFault({
          path: stream,
          reason: "io",
          message: `${stream} has no entry ${from} any more: it starts with ${log.start()}, and a snapshot covers the entries before it.`
        })
      )
    return log.read(from, maxBytes, log.end())
  }

  private store(entries: ReadonlyArray<KeyValue>, seen: Observed): Effect.Effect<void, EtcdFault | LogFault> {
    return Effect.gen(this, function* () {
      const { keys, log, stream } = this.parts
      let bytes = 0
      const first = entries[0] === undefined ? seen.head.value : keys.indexOf(entries[0].key)
      // What is between was trimmed: a snapshot covers it, and readers of it get an error.
      if (first > log.end()) yield* log.restartAt(first)
      for (const { key, value } of entries) {
        const index = keys.indexOf(key)
        const batch = yield* batchAt(this.parts, index, value)
        // The leader of this process may have appended it meanwhile.
        if (index < log.end()) continue
        bytes += batch.length
        yield* Effect.mapError(log.appendAsFollower([new RecordBatch(batch)]), (fault) =>
          fault._tag === "LogFault" ? fault : damaged(stream, key, fault.message)
        )
      }
      if (bytes > responseBytesMax) this.appends = Math.max(1, this.appends >>> 1)
      else if (bytes < responseBytesMin) this.appends = Math.min(appendsMax, this.appends * 2)
    })
  }

  /**
   * Compares the end of the copy with etcd, and drops the copy where they differ: the process may have lost the end of the log, or
   * the copy is of another prefix or of an etcd that was restored from an older backup.
   */
  readonly check: Effect.Effect<void, EtcdFault | LogFault> = Effect.gen(this, function* () {
    const { client, keys, log, stream } = this.parts
    if (log.end() === log.start()) return
    const last = Either.getOrElse(log.read(log.end() - 1, 1, log.end()), () => [])[0]
    const index = last === undefined ? -1 : new RecordBatch(last).baseOffset
    const found = yield* client.txn({ compares: [], then: [{ range: { key: keys.entry(index) } }, { range: keys.state }] })
    const stored = found.ranges[0]?.[0]
    const batch = stored === undefined ? undefined : yield* batchAt(this.parts, index, stored.value)
    if (last !== undefined && batch !== undefined && sameBytes(batch, last.subarray(0, batch.length)) && batch.length === last.length) return
    yield* Effect.logInfo(`${stream}: the local copy of the journal ends at ${log.end()} and is not what ${client.where} has there; it is read anew`)
    yield* log.restartAt(0)
  })

  private behind(head: number): LogFault {
    const { client, log, stream } = this.parts
    return new LogFault({
      path: stream,
      reason: "corrupt",
      message: `${stream} ends at ${head} in ${client.where}, and this node has read entries up to ${log.end()}: etcd was restored from an older backup, or its data is gone. Restore a newer backup, or stop all nodes and start them on what etcd has.`
    })
  }
}

/** Milliseconds of a clock that the operator cannot set: leases are counted by it. */
export const steadyMs: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))
