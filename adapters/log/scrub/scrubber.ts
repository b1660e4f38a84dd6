import { Effect, Either, Schema } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import type { Checkpoints } from "../disk/checkpoint.ts"
import { attempt, type Disk, faultOf } from "../disk/disk.ts"
import { readChecksum, writeChecksum } from "../segment/segment-checksum.ts"
import { damageFault, writeDamageMark } from "./damage-mark.ts"
import { type Damage, type ScrubbedSegment, SegmentScrub } from "./segment-scrub.ts"

/** How often and how fast sealed segments are read through. */
export interface ScrubBounds {
  /** From the start of one pass over all logs to the start of the next, ms; 0: there are no passes. Checksums that are missing are made all the same. */
  readonly scrubIntervalMs: number
  /** Bytes that are read in a second, at most. */
  readonly scrubBytesPerSecondMax: number
  /** When a store that was opened begins with it, ms: a node that starts has other things to do. */
  readonly scrubFirstAfterMs: number
}
export const defaultScrubBounds: ScrubBounds = { scrubIntervalMs: 604_800_000, scrubBytesPerSecondMax: 10_485_760, scrubFirstAfterMs: 30_000 }

/** A segment in the list of a log. */
interface ScrubSubject extends ScrubbedSegment {
  hasChecksum: boolean
}

/** What the scrub needs of an open log. */
interface ScrubbedLog {
  readonly directory: string
  /** Its sealed segments now, rising. One that is not among them any more is not looked at any further. */
  readonly sealedSegments: () => ReadonlyArray<ScrubSubject>
  /** Nothing is read from or written to it from now on; returns whether the operator was told. */
  readonly takeOffline: (fault: LogFault) => boolean
}

/** How often the scrubber looks for a due segment, ms, at most; a store that begins sooner looks as often as that. */
const lookMs = 60_000
/** Where the pass stands is written down this often at most, ms, while it reads. */
const noteMs = 60_000

const checkpointName = "scrub"
/** When the pass began, and the last segment that it has read: its log's directory by name, and its base offset. `log` is undefined for a pass that is through. */
interface Progress {
  readonly startedAt: number
  readonly log: string | undefined
  readonly baseOffset: Offset
}
const Document = Schema.parseJson(
  Schema.Struct({ v: Schema.Literal(1), startedAt: Schema.Number, log: Schema.UndefinedOr(Schema.String).pipe(Schema.optional), baseOffset: Schema.Number })
)
const decode = Schema.decodeUnknownEither(Document)
const encode = Schema.encodeSync(Document)

interface Task {
  readonly log: ScrubbedLog
  readonly segment: ScrubSubject
}

const nameOf = ({ directory }: ScrubbedLog): string => directory.slice(directory.lastIndexOf("/") + 1)

/**
 * Reads the sealed segments of all open logs through, again and again: what no consumer reads for a year would otherwise be found damaged when it is needed, and the last good
 * copy gone. A pass goes by the logs' names and the segments' offsets, so that where it stands is one place, which is written down. Segments
 * without a checksum come first and get one.
 */
export class Scrubber {
  private readonly logs = new Map<string, ScrubbedLog>()
  /** Logs that may have sealed segments without a checksum. */
  private readonly owed = new Set<ScrubbedLog>()
  private progress: Progress | undefined
  private notedAt = 0

  constructor(
    private readonly disk: Disk,
    private readonly checkpoints: Checkpoints,
    private readonly crc32c: Crc32c,
    private readonly bounds: ScrubBounds,
    /** ms since 1970. */
    private readonly clock: () => number
  ) {}

  add(log: ScrubbedLog): void {
    this.logs.set(nameOf(log), log)
    this.owe(log)
  }
  remove(log: ScrubbedLog): void {
    this.logs.delete(nameOf(log))
    this.owed.delete(log)
  }
  /** The log may have got a sealed segment without a checksum. */
  owe(log: ScrubbedLog): void {
    if (log.sealedSegments().some(({ hasChecksum }) => !hasChecksum)) this.owed.add(log)
  }

  /** Until the store is closed. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.zipRight(Effect.zipRight(Effect.sleep(this.withinInterval(this.bounds.scrubFirstAfterMs)), this.load), Effect.forever(this.round))
  )

  private readonly load: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(
      Effect.orElseSucceed(this.checkpoints.read(checkpointName), () => undefined),
      (bytes) => {
        const read = bytes === undefined ? undefined : decode(new TextDecoder().decode(bytes))
        // A pass that cannot be told from none begins again.
        if (read !== undefined && Either.isRight(read)) this.progress = { ...read.right, log: read.right.log }
      }
    )
  )

  /** Looks at the next segment that is owed or due; false where there is none. */
  private readonly next: Effect.Effect<boolean> = Effect.suspend(() => {
    const owed = this.nextOwed()
    if (owed !== undefined) return Effect.as(this.scrub(owed), true)
    const next = this.nextOfPass()
    return next === undefined ? Effect.as(this.endPass, false) : Effect.as(Effect.zipRight(this.scrub(next), this.passed(next)), true)
  })

  private readonly round: Effect.Effect<void> = Effect.flatMap(this.next, (isBusy) => (isBusy ? Effect.void : Effect.sleep(this.pauseMs)))

  /** One pass over everything from the start, now. */
  readonly pass: Effect.Effect<void> = Effect.suspend(() => {
    this.progress = { startedAt: this.clock(), log: "", baseOffset: -1 }
    return Effect.asVoid(Effect.repeat(this.next, { while: (isBusy) => isBusy }))
  })

  /** Reads all sealed segments of one log through, now. Damage takes the log offline. */
  readThrough(log: ScrubbedLog): Effect.Effect<void> {
    return Effect.suspend(() => Effect.forEach([...log.sealedSegments()], (segment) => this.scrub({ log, segment }), { discard: true }))
  }

  private get pauseMs(): number {
    return this.withinInterval(Math.min(lookMs, Math.max(1, this.bounds.scrubFirstAfterMs)))
  }
  private withinInterval(ms: number): number {
    const { scrubIntervalMs } = this.bounds
    return scrubIntervalMs === 0 ? ms : Math.min(ms, scrubIntervalMs)
  }

  private nextOwed(): Task | undefined {
    for (const log of this.owed) {
      const segment = log.sealedSegments().find(({ hasChecksum }) => !hasChecksum)
      if (segment !== undefined) return { log, segment }
      this.owed.delete(log)
    }
    return undefined
  }

  /** What comes next in the pass that is under way or due. */
  private nextOfPass(): Task | undefined {
    const { scrubIntervalMs } = this.bounds
    const before = this.progress
    if (scrubIntervalMs === 0) return undefined
    if (before?.log === undefined && before !== undefined && this.clock() - before.startedAt < scrubIntervalMs) return undefined
    const at = before?.log === undefined ? { startedAt: this.clock(), log: "", baseOffset: -1 } : { ...before, log: before.log }
    const next = this.nextFrom(at)
    // A pass begins with the first segment that it reads: over nothing there is none, and who comes a moment later would wait for a whole interval.
    if (next !== undefined) this.progress = at
    return next
  }

  private nextFrom(at: { readonly log: string; readonly baseOffset: Offset }): Task | undefined {
    const log = this.logs.get(at.log)
    const segment = log?.sealedSegments().find(({ baseOffset }) => baseOffset > at.baseOffset)
    return log !== undefined && segment !== undefined ? { log, segment } : this.firstAfter(at.log)
  }

  private firstAfter(name: string): Task | undefined {
    let first: string | undefined
    for (const [each, log] of this.logs) if (each > name && (first === undefined || each < first) && log.sealedSegments().length > 0) first = each
    const log = first === undefined ? undefined : this.logs.get(first)
    const segment = log?.sealedSegments()[0]
    return log === undefined || segment === undefined ? undefined : { log, segment }
  }

  private passed({ log, segment }: Task): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.progress === undefined) return Effect.void
      this.progress = { ...this.progress, log: nameOf(log), baseOffset: segment.baseOffset }
      const now = this.clock()
      if (now - this.notedAt < noteMs) return Effect.void
      this.notedAt = now
      return this.note(this.progress)
    })
  }

  private readonly endPass: Effect.Effect<void> = Effect.suspend(() => {
    const { progress } = this
    // One that a life before began continues when the logs are open again.
    if (progress?.log === undefined || this.logs.size === 0) return Effect.void
    this.progress = { ...progress, log: undefined }
    return this.note(this.progress)
  })

  private note({ baseOffset, log, startedAt }: Progress): Effect.Effect<void> {
    const document = new TextEncoder().encode(encode({ v: 1, startedAt, baseOffset, ...(log === undefined ? {} : { log }) }))
    return Effect.catchAll(this.checkpoints.write(checkpointName, document), ({ message }) =>
      Effect.logWarning(`Where the scrub stands could not be written down, so a restart begins it again: ${message}`)
    )
  }

  private scrub(task: Task): Effect.Effect<void> {
    const { log, segment } = task
    const isThere = () => this.logs.get(nameOf(log)) === log && log.sealedSegments().includes(segment)
    return Effect.gen(this, function* () {
      const expected = yield* attempt(segment.path.checksum, "read", () => readChecksum(this.disk, segment, this.crc32c)?.entries)
      const scrub = new SegmentScrub(segment, expected, this.crc32c)
      while (isThere() && !scrub.isDone) {
        const damage = yield* attempt(segment.path.log, "read", () => scrub.step())
        if (damage !== undefined) return yield* this.damaged(task, damage)
        yield* this.rest(scrub.takeBytesRead())
      }
      if (expected === undefined) yield* this.makeChecksum(task, scrub, isThere)
    }).pipe(
      Effect.catchAll(({ message }) => {
        // Once a pass, not again and again.
        segment.hasChecksum = true
        return Effect.logWarning(`The scrub could not look at ${segment.path.log} and continues with the next file: ${message}`)
      })
    )
  }

  /** After so many bytes, so long that the bound holds. */
  private rest(bytes: number): Effect.Effect<void> {
    const ms = (bytes / this.bounds.scrubBytesPerSecondMax) * 1000
    return ms === 0 ? Effect.yieldNow() : Effect.sleep(ms)
  }

  private makeChecksum({ log, segment }: Task, scrub: SegmentScrub, isThere: () => boolean): Effect.Effect<void, LogFault> {
    const { disk } = this
    return Effect.gen(this, function* () {
      // A cut of the log may have come in between: a checksum of what was cut would accuse what is written in its place.
      const bytes = yield* attempt(segment.path.checksum, "write", () =>
        isThere() ? writeChecksum(disk, segment.path.checksum, segment, scrub.chain, this.crc32c) : undefined
      )
      segment.hasChecksum = true
      if (bytes === undefined) return
      const file = yield* attempt(segment.path.checksum, "open", () => disk.open(segment.path.checksum, "write"))
      yield* Effect.ensuring(
        Effect.mapError(file.sync, (error) => faultOf(file.path, "sync", error)),
        Effect.sync(() => file.close())
      )
      // Retention, compaction or the removal of its topic may have come in between.
      if (isThere()) yield* Effect.mapError(disk.syncDirectory(log.directory), (error) => faultOf(log.directory, "sync", error))
    })
  }

  private damaged({ log, segment }: Task, damage: Damage): Effect.Effect<void> {
    const fault = damageFault(log.directory, segment.baseOffset, damage)
    const isHeard = log.takeOffline(fault)
    // A damaged log is not looked at again until it is opened again.
    this.remove(log)
    return Effect.zipRight(
      isHeard ? Effect.void : Effect.logError(fault.message),
      Effect.catchAll(writeDamageMark(this.disk, log.directory, segment.baseOffset, damage, fault), ({ message }) =>
        Effect.logError(`The damage could not be written down, so a restart would open ${log.directory} until the scrub finds it again: ${message}`)
      )
    )
  }
}
