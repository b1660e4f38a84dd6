import { type Context, Effect, Either, ExecutionStrategy, Exit, Layer, Option, Schedule, Scope, Stream } from "effect"
import { groupMetadataTopicId } from "../../../domain/cluster/topic/group-metadata.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { Checksum } from "../../../src/ports/checksum.ts"
import { Journal, NotWritten } from "../../../src/ports/journal.ts"
import { defaultLogConfig, LogFault, LogStore, type PartitionLog } from "../../../src/ports/log-store.ts"
import { partitionOfStream } from "../stream-partition.ts"
import { campaign } from "./campaign.ts"
import { type EtcdClient, EtcdFault } from "./client.ts"
import { FollowedStream } from "./followed-stream.ts"
import type { HeldStream } from "./held-stream.ts"
import { StreamKeys } from "./keys.ts"
import { asLogFault, loadSnapshot, notAhead, saveSnapshot, snapshotIndex, trim } from "./snapshots.ts"

type Service = Context.Tag.Service<Journal>

/** The topic ids of the local copies: not those of a journal over files, which may be in the same directory and must not be touched. */
const copyOf = { cluster: "AAAAAAAAAAAAAAAAAAAAQA" as TopicId, group: "AAAAAAAAAAAAAAAAAAAAQQ" as TopicId }
const copyConfig = { ...defaultLogConfig, segmentBytesMax: 16_777_216, fileDeleteDelayMs: 1000, readsWholeAtOpen: true }
/** How long a process that has seen a successor's snapshot may take to learn of that successor, ms. */
const lostWithinMs = 30_000
const openAgain = Schedule.spaced(500)
/** Repeats a read while etcd is out of reach, as a campaign waits for it: its stream warns the operator meanwhile. */
const whileUnreachable = <A, E extends { readonly _tag: string }>(read: Effect.Effect<A, E | EtcdFault>): Effect.Effect<A, E | EtcdFault> =>
  Effect.retry(read, { schedule: openAgain, while: (fault) => fault instanceof EtcdFault && (fault.kind === "unknown" || fault.kind === "unsent") })

interface EtcdJournalOptions {
  readonly client: EtcdClient
  /** The keys of this cluster begin with it, e.g. "/franz". */
  readonly prefix: string
  /** How long a leader that etcd does not hear leads on, ms: `franz.leader.lease.ms`. */
  readonly leaseMs: number
}

class EtcdJournal implements Service {
  private readonly followed = new Map<string, { readonly followed: FollowedStream; readonly scope: Scope.CloseableScope }>()
  private readonly held = new Map<string, HeldStream>()
  private readonly opening = Effect.unsafeMakeSemaphore(1)

  constructor(
    private readonly options: EtcdJournalOptions,
    private readonly logs: Context.Tag.Service<LogStore>,
    private readonly checksum: Context.Tag.Service<Checksum>,
    private readonly scope: Scope.Scope
  ) {}

  readonly campaign: Service["campaign"] = (stream, candidate) =>
    Effect.gen(this, function* () {
      const followed = yield* this.opened(stream)
      const held = yield* campaign(followed, candidate, this.options.leaseMs)
      this.held.set(stream, held)
      yield* Effect.addFinalizer(() => Effect.sync(() => this.held.get(stream) === held && this.held.delete(stream)))
      const snapshot = yield* Effect.mapError(whileUnreachable(snapshotIndex(followed.parts)), asLogFault(stream))
      // A process that was stopped after it had won may see a successor's snapshot: it learns that it leads no more.
      if (snapshot !== undefined && snapshot > held.end && Option.isNone(yield* Effect.timeoutOption(Effect.flip(held.lost), lostWithinMs)))
        return yield* new LogFault({
          path: stream,
          reason: "corrupt",
          message: `${stream} ends at ${held.end} in etcd, before its own snapshot at ${snapshot}: entries are gone. Restore etcd from a backup.`
        })
      return { start: followed.start, end: held.end, epoch: held.epoch, lost: held.lost, isHeld: held.isHeld }
    })

  readonly append: Service["append"] = (stream, epoch, expected, entries) =>
    Effect.suspend(() => this.held.get(stream)?.append(epoch, expected, entries) ?? Effect.fail(new NotWritten({ stream, cause: notOpen(stream) })))

  readonly follow: Service["follow"] = (stream, from) =>
    Stream.unwrap(
      Effect.gen(this, function* () {
        const followed = yield* this.opened(stream)
        yield* Effect.mapError(whileUnreachable(followed.pull), asLogFault(stream))
        return followed.follow(from)
      })
    )

  readonly batches: Service["batches"] = (stream, from, maxBytes) =>
    Either.flatMap(
      Either.fromNullable(this.followed.get(stream), () => notOpen(stream)),
      ({ followed }) => followed.batches(from, maxBytes)
    )

  readonly trim: Service["trim"] = (stream, index) =>
    Effect.gen(this, function* () {
      const { followed, held } = yield* this.leading(stream)
      const snapshot = yield* snapshotIndex(followed.parts)
      if (snapshot === undefined || snapshot < index)
        return yield* new LogFault({ path: stream, reason: "io", message: `${stream} is not trimmed to ${index}: there is no snapshot at or after it.` })
      yield* trim(followed.parts, held, index)
      yield* followed.parts.log.deleteBefore(index)
      return followed.start
    }).pipe(Effect.mapError(asLogFault(stream)))

  readonly saveSnapshot: Service["saveSnapshot"] = (stream, snapshot) =>
    Effect.gen(this, function* () {
      const { followed, held } = yield* this.leading(stream)
      yield* notAhead(stream, snapshot.index, held.end)
      yield* saveSnapshot(followed.parts, held, snapshot)
    }).pipe(Effect.mapError(asLogFault(stream)))

  readonly loadSnapshot: Service["loadSnapshot"] = (stream) =>
    Effect.flatMap(this.opened(stream), ({ parts }) => whileUnreachable(loadSnapshot(parts))).pipe(Effect.mapError(asLogFault(stream)))

  private leading(stream: string): Either.Either<{ readonly followed: FollowedStream; readonly held: HeldStream }, LogFault> {
    const [followed, held] = [this.followed.get(stream)?.followed, this.held.get(stream)]
    return followed === undefined || held === undefined ? Either.left(notOpen(stream)) : Either.right({ followed, held })
  }

  /** The stream with its local copy, which follows etcd from then on. An attempt that is interrupted while etcd is out of reach closes the copy. */
  private opened(stream: string): Effect.Effect<FollowedStream, LogFault> {
    return this.opening.withPermits(1)(
      Effect.gen(this, function* () {
        const known = this.followed.get(stream)
        if (known !== undefined && known.followed.fault === undefined) return known.followed
        // A log has one writer: that of a stream that failed is closed first.
        if (known !== undefined) yield* Scope.close(known.scope, Exit.void)
        this.followed.delete(stream)
        const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
        return yield* Effect.onExit(this.open(stream, scope), (exit) =>
          Exit.isSuccess(exit) ? Effect.sync(() => this.followed.set(stream, { followed: exit.value, scope })) : Scope.close(scope, Exit.void)
        )
      })
    )
  }

  private open(stream: string, scope: Scope.Scope): Effect.Effect<FollowedStream, LogFault> {
    return Effect.gen(this, function* () {
      const at = partitionOfStream(stream)
      if (at === undefined) return yield* new LogFault({ path: stream, reason: "io", message: `No stream is called '${stream}'.` })
      const topicId = at.topicId === groupMetadataTopicId ? copyOf.group : copyOf.cluster
      const log = yield* this.copy(stream, topicId, at.partition, scope)
      const { client, prefix } = this.options
      const followed = new FollowedStream({ stream, keys: new StreamKeys(prefix, stream), client, crc32c: this.checksum.crc32c, log })
      const check = Effect.retry(followed.check, { schedule: openAgain, while: (fault) => fault._tag === "EtcdFault" && fault.kind !== "denied" })
      yield* Effect.mapError(check, asLogFault(stream))
      yield* Scope.extend(followed.run, scope)
      return followed
    })
  }

  /** Opens the log of a copy. A copy that is damaged is made anew. */
  private copy(stream: string, topicId: TopicId, partition: number, scope: Scope.Scope): Effect.Effect<PartitionLog, LogFault> {
    const open = Effect.gen(this, function* () {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      return yield* Effect.onError(Scope.extend(this.logs.open(topicId, partition, copyConfig), own), () => Scope.close(own, Exit.void))
    })
    return Effect.catchIf(
      open,
      ({ reason }) => reason === "corrupt",
      ({ message }) =>
        Effect.logWarning(`${stream}: the local copy of the journal is damaged and is read anew from etcd: ${message}`).pipe(
          Effect.zipRight(this.logs.remove(topicId, partition)),
          Effect.zipRight(open)
        )
    )
  }
}

const notOpen = (stream: string): LogFault => new LogFault({ path: stream, reason: "offline", message: `The stream ${stream} is not open.` })

/**
 * The journal in etcd. Every candidate has a copy of each stream in its own LogStore, from which the stream is read and
 * served. What is acknowledged is in etcd: the copy is never synced, and is read anew where it differs.
 */
export const layerEtcd = (options: EtcdJournalOptions): Layer.Layer<Journal, never, LogStore | Checksum> =>
  Layer.scoped(
    Journal,
    Effect.gen(function* () {
      return new EtcdJournal(options, yield* LogStore, yield* Checksum, yield* Effect.scope)
    })
  )
