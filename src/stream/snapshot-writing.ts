import { type Context, Effect } from "effect"
import type { Journal } from "../ports/journal.ts"
import type { Restorable, Tagged } from "./aggregate.ts"
import type { Answers } from "./answers.ts"
import { writeSnapshot } from "./snapshot.ts"

export interface SnapshotOptions {
  /** A snapshot is written after so many events; the next start reads from there. */
  readonly snapshotIntervalEvents: number
  /** A snapshot is written after so many bytes of events, too. Default 32 MiB. */
  readonly snapshotIntervalBytes?: number
  /** Whether the journal is trimmed up to the snapshot before. Not for a stream that brokers follow from its start. */
  readonly trimAfterSnapshot?: boolean
}

const snapshotIntervalBytesDefault = 32 * 1024 * 1024

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

  constructor(
    private readonly journal: Context.Tag.Service<typeof Journal>,
    private readonly stream: { readonly name: string; readonly restorable: Restorable<State, Event>; readonly answers: Answers<Event, Rejection> },
    private readonly options: SnapshotOptions,
    snapshotIndex: number
  ) {
    this.attemptIndex = this.savedIndex = snapshotIndex
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
        this.savedIndex = index
        return this.options.trimAfterSnapshot === true ? this.journal.trim(name, before) : Effect.void
      }),
      Effect.catchTag("LogFault", (fault) => Effect.logWarning(`${name}: no snapshot at ${index}; the next start reads more of the journal: ${fault.message}`))
    )
  }
}
