import { Clock, type Context, Effect, Either } from "effect"
import type { Steps } from "../../domain/kernel/steps.ts"
import { runSteps } from "../ports/event-loop.ts"
import type { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Restorable, Tagged } from "./aggregate.ts"
import type { Answers } from "./answers.ts"
import { writeSnapshot } from "./snapshot.ts"
import { JournalStretches } from "./stretches.ts"

/** How much of a journal is kept, where a snapshot would allow it to be trimmed. */
interface JournalRetention {
  /** Bytes of batches; negative: no bound. */
  readonly bytes: number
  /** The age of entries, ms; negative: no bound. */
  readonly ms: number
  /** Looked at before each trim: whether all readers can begin with the snapshot. */
  readonly mayTrim: () => boolean
}

/** Names a snapshot of a stream: the fold of all entries before `endOffset` (KIP-630). `epoch` is the leader's that names it. */
export interface SnapshotId {
  readonly endOffset: number
  readonly epoch: number
}

export interface SnapshotOptions {
  /** A snapshot is written after so many events; the next start reads from there. */
  readonly snapshotIntervalEvents: number
  /** A snapshot is written after so many bytes of events, too. Default 32 MiB. */
  readonly snapshotIntervalBytes?: number
  /** Whether the journal is trimmed up to the snapshot before. Not for a stream that others follow. */
  readonly trimAfterSnapshot?: boolean
  /** The journal is trimmed up to the snapshot before, as far as it is more than this. */
  readonly retention?: JournalRetention
}

const snapshotIntervalBytesDefault = 32 * 1024 * 1024
/** Bytes of the journal that are read at a time to learn its sizes and times. */
const stretchBytes = 65_536

/**
 * Writes snapshots of a stream, one at a time and apart from the writer's turns: states are immutable, so the state that is written cannot change meanwhile. The journal is trimmed only up to
 * the snapshot before it, so that the spare copy of the checkpoint is of use; a snapshot that could not be written (the disk was full) is no copy.
 */
export class SnapshotWriting<State, Event extends Tagged, Rejection> {
  /** The index of the last attempt, and of the last snapshot that is on disk. */
  private attemptIndex: number
  private savedIndex: number
  private isWriting = false
  /** Bytes of events since the last attempt. */
  private bytesSince = 0
  private readonly stretches: JournalStretches

  constructor(
    private readonly journal: Context.Tag.Service<typeof Journal>,
    private readonly stream: { readonly name: string; readonly restorable: Restorable<State, Event>; readonly answers: Answers<Event, Rejection> },
    private readonly options: SnapshotOptions,
    snapshotIndex: number,
    /** The index of the first entry that the journal has. */
    private first: number
  ) {
    this.attemptIndex = this.savedIndex = this.newest = snapshotIndex
    this.stretches = new JournalStretches(journal, stream.name, first, stretchBytes)
  }

  /** The index of the newest snapshot that is known; 0: none is. */
  newest: number
  /** The index of the first entry that the journal has. */
  get start(): number {
    return this.first
  }

  /** Counts bytes of events that are durable. */
  add(bytes: number): void {
    this.bytesSince += bytes
  }

  /** Returns the effect that writes a snapshot of `state`, the fold of all entries before `end`; undefined where none is due. */
  due(state: State, end: number): Effect.Effect<void> | undefined {
    const { snapshotIntervalBytes = snapshotIntervalBytesDefault, snapshotIntervalEvents } = this.options
    if (this.isWriting || (end - this.attemptIndex < snapshotIntervalEvents && this.bytesSince < snapshotIntervalBytes)) return undefined
    this.isWriting = true
    this.bytesSince = 0
    this.attemptIndex = end
    return Effect.ensuring(
      this.write(state, end),
      Effect.sync(() => {
        this.isWriting = false
      })
    )
  }

  private write(state: State, index: number): Effect.Effect<void> {
    const { answers, name, restorable } = this.stream
    const before = this.savedIndex
    const applied = answers.applied()
    return Effect.suspend(() => this.journal.saveSnapshot(name, { index, value: writeSnapshot(restorable, state, applied) })).pipe(
      Effect.tap(() => {
        this.savedIndex = this.newest = index
        return this.trim(before, index)
      }),
      Effect.catchTag("LogFault", (fault) => Effect.logWarning(`${name}: no snapshot at ${index}; the next start reads more of the journal: ${fault.message}`))
    )
  }

  /** Trims what the snapshot before the newest covers, so that the spare copy is of use. */
  private trim(before: number, end: number): Effect.Effect<void, LogFault> {
    const { retention, trimAfterSnapshot = false } = this.options
    if (trimAfterSnapshot) return this.trimTo(before)
    if (retention === undefined || (retention.bytes < 0 && retention.ms < 0) || before <= this.first || !retention.mayTrim()) return Effect.void
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      yield* Effect.flatten(runSteps(this.measure(end)))
      const to = expiredEnd(this.stretches, retention, before, now)
      if (to > this.first) yield* this.trimTo(to)
    })
  }

  private trimTo(index: number): Effect.Effect<void, LogFault> {
    return Effect.map(this.journal.trim(this.stream.name, index), (start) => {
      this.first = start
      this.stretches.dropBefore(start)
    })
  }

  /** Learns the sizes and times of the journal up to `end`: of all of it the first time, then of what came since. */
  private *measure(end: number): Steps<Either.Either<void, LogFault>> {
    for (;;) {
      const stepped = this.stretches.step(end)
      if (Either.isLeft(stepped)) return Either.left(stepped.left)
      if (!stepped.right) return Either.void
      yield
    }
  }
}

/** Up to where entries are more than the journal keeps; at most `before`. */
const expiredEnd = ({ full }: JournalStretches, { bytes, ms }: JournalRetention, before: number, now: number): number => {
  let excess = full.reduce((sum, stretch) => sum + stretch.bytes, 0) - bytes
  let to = 0
  for (const stretch of full) {
    const isTooMuch = bytes >= 0 && excess > 0
    const isTooOld = ms >= 0 && stretch.maxTimestamp < now - ms
    if (stretch.end > before || !(isTooMuch || isTooOld)) break
    excess -= stretch.bytes
    to = stretch.end
  }
  return to
}
