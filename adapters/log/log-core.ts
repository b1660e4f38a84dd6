import { Effect } from "effect"
import type { Offset } from "../../domain/kernel/id.ts"
import type { LogConfig, LogFault } from "../../src/ports/log-store.ts"
import type { CompactionNote } from "./compaction/note.ts"
import type { DerivedFiles } from "./derived-files.ts"
import { LaterRemoval } from "./disk/later-removal.ts"
import type { LogParts } from "./log-parts.ts"
import { LogSync } from "./log-sync.ts"
import { newActiveSegment, type OpenSegments } from "./recovery/open-segments.ts"
import { FileReads } from "./segment/file-reads.ts"
import { SegmentList } from "./segment/segment-list.ts"
import type { SealedSegment } from "./segment/segments.ts"

/**
 * The state of one open log and the services of its store: what appends, retention, compaction and cuts work on. Each of them is a module of its own; the log's
 * readers see `SegmentedLog`.
 */
export class LogCore {
  readonly directory: string
  readonly segments: SegmentList
  readonly syncing: LogSync
  config: LogConfig
  /** What the scrub found: nothing is read or appended any more, and what was appended before is made durable all the same. */
  damage: LogFault | undefined
  /** Told when the log goes offline by itself. */
  hearDamage: ((fault: LogFault) => void) | undefined
  /** The log is being moved to another data directory: told when bytes that may have been copied are replaced or cut. */
  copy: { readonly forget: (from: Offset, to?: Offset) => void } | undefined
  /** The log was closed, and everything of it is durable and as its files say. */
  isClosedWell = false
  private readonly reads: FileReads
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private readonly removal: LaterRemoval

  constructor(
    readonly parts: LogParts,
    opened: OpenSegments,
    /** What is written down about the log's compaction. */
    public note: CompactionNote,
    readonly derived: DerivedFiles
  ) {
    this.directory = parts.directory
    this.config = parts.config
    this.segments = new SegmentList(parts.disk, parts.caches, opened)
    this.syncing = new LogSync(parts, this.segments, derived, opened, (fault) => this.hearDamage?.(fault))
    this.removal = new LaterRemoval(parts.disk)
    this.reads = new FileReads(parts.tail)
  }

  /** As PartitionLog.read, from the files. Throws what the disk throws. */
  readFiles(from: Offset, maxBytes: number, upTo: Offset): ReadonlyArray<Uint8Array> {
    return this.reads.read(this.segments.from(from), from, maxBytes, upTo)
  }

  /** Why reads and appends fail; undefined while they do not. */
  readonly refusal = (): LogFault | undefined => this.syncing.fault ?? this.damage

  /** One change of the sealed segments at a time: retention removes the first ones, compaction puts others in their place, a cut removes the last ones. */
  exclusive<A, E>(change: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.turn.withPermits(1)(change)
  }

  /** Begins a new segment. Where its file cannot be created, nothing has changed. Throws what the disk throws. */
  roll(): void {
    const { config, derived, parts, segments } = this
    segments.roll(newActiveSegment({ ...parts, config, now: parts.clock() }, segments.end))
    derived.active = segments.active
    segments.mustSync(derived.write())
    parts.scrubber.owe(this)
    // A sealed segment is made durable soon, also where no caller waits for it: recovery then reads the last segment only.
    this.syncing.start()
  }

  /** Retention removed the first segment. */
  dropFirst(): void {
    this.segments.dropFirst()
    this.reads.forget()
  }

  /** Compaction wrote `by` in place of `old`: readers find it from now on. */
  replace(old: ReadonlyArray<SealedSegment>, by: SealedSegment): void {
    this.segments.replace(old, by)
    this.copy?.forget(by.baseOffset, by.endOffset)
    this.reads.forget()
    this.parts.tail.dropBefore(by.endOffset)
  }

  /** The log was cut: what is remembered of the batches that went is forgotten. */
  forgetReads(): void {
    this.copy?.forget(this.segments.active.baseOffset)
    this.reads.forget()
    this.parts.tail.clear()
  }

  /** A sync of `path` failed outside of a round: the log is offline from now on. */
  syncFailed(path: string, cause: unknown): LogFault {
    return this.syncing.goOffline(`A sync of ${path} failed, so it is unknown what the disk holds. Look at the disk, then start again.`, cause)
  }

  /** Removes files that the log does not use any more, after `file.delete.delay.ms`. */
  removeLater(paths: ReadonlyArray<string>): void {
    this.parts.fork(this.removal.after(this.config.fileDeleteDelayMs, paths, () => this.syncing.fault === undefined))
  }
  /** No file is removed any more when it returns. */
  get endRemovals(): Effect.Effect<void> {
    return this.removal.close
  }

  readonly sealedSegments = () => this.segments.sealed
  readonly takeOffline = (fault: LogFault): boolean => {
    this.damage = fault
    this.hearDamage?.(fault)
    return this.hearDamage !== undefined
  }
}
