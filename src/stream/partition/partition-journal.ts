import { Chunk, type Context, Deferred, Effect, Either, Exit, FiberId, Option, Stream } from "effect"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { runSteps } from "../../ports/event-loop.ts"
import { Fenced, type Journal, NotWritten, type Snapshot, type StoredEntry, type Taken } from "../../ports/journal.ts"
import { LogFault } from "../../ports/log-store.ts"
import { HeldPartition, notLed } from "./held-partition.ts"
import type { LedPartition, LedPartitions } from "./led-partition.ts"
import { StreamLog } from "./stream-log.ts"

type Service = Context.Tag.Service<typeof Journal>

/**
 * The state of a stream that was kept elsewhere before its partition; undefined where it had no entry. It is asked for
 * as long as the partition has neither an entry nor a whole snapshot.
 */
export type Predecessor = (stream: string) => Effect.Effect<Snapshot | undefined, LogFault>

interface PartitionJournalOptions {
  readonly partitions: LedPartitions
  readonly crc32c: Crc32c
  /** Absent: the streams begin in their partitions. */
  readonly predecessor?: Predecessor
}

/**
 * A journal whose streams are partitions of an internal topic. The leader of a partition leads its stream, under the
 * partition's leader epoch; an entry is durable when every in-sync replica has synced it.
 */
export class PartitionJournal implements Service {
  private readonly held = new Map<string, HeldPartition>()

  constructor(private readonly options: PartitionJournalOptions) {}

  /**
   * Waits until everything in the partition is committed under the epoch of this leadership, reads it, and takes over
   * the state that the stream had elsewhere. LogFault "offline" where this process does not lead the partition, or leads
   * it no more.
   */
  readonly prepare = (stream: string): Effect.Effect<HeldPartition, LogFault> =>
    Effect.gen(this, function* () {
      const partition = yield* this.options.partitions.find(stream)
      const before = this.held.get(stream)
      if (before?.partition.epoch === partition.epoch && before.partition.isHeld()) return before
      const end = partition.end()
      yield* this.committed(stream, partition, end)
      const log = yield* Effect.flatten(runSteps(StreamLog.read(stream, partition, this.options.crc32c, end)))
      const held = new HeldPartition(partition, log, this.options.crc32c)
      const { predecessor } = this.options
      if (held.isEmpty && predecessor !== undefined) yield* held.saveSnapshot((yield* predecessor(stream)) ?? { index: 0, value: new Uint8Array(0) })
      if (!partition.isHeld()) return yield* offline(stream)
      this.held.set(stream, held)
      return held
    })

  /** Leads at once where `prepare` has succeeded under the present epoch; LogFault "offline" otherwise. */
  readonly campaign: Service["campaign"] = (stream) =>
    Effect.gen(this, function* () {
      const held = yield* this.opened(stream)
      const { partition } = held
      if (!partition.isHeld()) return yield* offline(stream)
      const lost = Deferred.unsafeMake<never, Fenced>(FiberId.none)
      const cancel = partition.whenEnded(() => {
        Deferred.unsafeDone(lost, Exit.fail(held.fenced))
        held.readers.wake()
      })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          cancel()
          if (this.held.get(stream) === held) this.held.delete(stream)
          held.readers.wake()
        })
      )
      const taken: Taken = { start: held.start, end: held.end, epoch: partition.epoch, lost: Deferred.await(lost), isHeld: partition.isHeld }
      return taken
    })

  readonly append: Service["append"] = (stream, epoch, expected, entries) =>
    Effect.suspend(() => {
      const held = this.held.get(stream)
      if (held === undefined) return Effect.fail(new NotWritten({ stream, cause: notOpen(stream) }))
      if (epoch !== held.partition.epoch) return Effect.fail(new Fenced({ stream, epoch, newerEpoch: held.partition.newestEpoch() }))
      return held.append(expected, entries)
    })

  readonly follow: Service["follow"] = (stream, from) =>
    Stream.unwrap(Effect.map(this.opened(stream), (held) => Stream.unfoldChunkEffect(from, (at) => Effect.map(this.following(held, at), nextOf))))

  readonly batches: Service["batches"] = (stream, from, maxBytes) => Either.flatMap(this.opened(stream), (held) => held.batches(from, maxBytes))

  readonly trim: Service["trim"] = (stream, index) => Effect.flatMap(this.opened(stream), (held) => held.trim(index))

  readonly saveSnapshot: Service["saveSnapshot"] = (stream, snapshot) => Effect.flatMap(this.opened(stream), (held) => held.saveSnapshot(snapshot))

  readonly loadSnapshot: Service["loadSnapshot"] = (stream) => Effect.flatMap(this.opened(stream), ({ snapshot }) => snapshot)

  /** Waits until everything before `end` is committed. LogFault "offline" where the leadership ends before. */
  private committed(stream: string, partition: LedPartition, end: number): Effect.Effect<void, LogFault> {
    return Effect.async<void, LogFault>((resume) => {
      if (end === 0) return resume(Effect.void)
      const cancel = partition.whenCommitted(end, (fault) =>
        resume(fault !== undefined ? Effect.fail(fault) : partition.isHeld() ? Effect.void : offline(stream))
      )
      return Effect.sync(cancel)
    })
  }

  private opened(stream: string): Either.Either<HeldPartition, LogFault> {
    const held = this.held.get(stream)
    return held === undefined ? Either.left(notOpen(stream)) : Either.right(held)
  }

  /** The committed entries from `at` on, once there is one. */
  private following(held: HeldPartition, at: number): Effect.Effect<ReadonlyArray<StoredEntry>, LogFault> {
    const isReleased = () => this.held.get(held.stream) !== held || !held.partition.isHeld()
    return Effect.suspend(() => {
      if (isReleased()) return Effect.fail(notOpen(held.stream))
      if (at < held.durableEnd) return held.entries(at)
      const come = held.readers.until(() => isReleased() || at < held.durableEnd)
      return Effect.zipRight(come, this.following(held, at))
    })
  }
}

const nextOf = (entries: ReadonlyArray<StoredEntry>): Option.Option<readonly [Chunk.Chunk<StoredEntry>, number]> =>
  Option.map(Option.fromNullable(entries.at(-1)), ({ index }) => [Chunk.unsafeFromArray(entries), index + 1] as const)

const offline = (stream: string): Effect.Effect<never, LogFault> => Effect.fail(new LogFault({ path: stream, reason: "offline", message: notLed(stream) }))

const notOpen = (stream: string): LogFault => new LogFault({ path: stream, reason: "offline", message: `The stream ${stream} is not open.` })
