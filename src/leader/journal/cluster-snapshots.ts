import { Clock, Effect, type Scope } from "effect"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { runSteps } from "../../ports/event-loop.ts"
import { Journal } from "../../ports/journal.ts"
import type { LogFault } from "../../ports/log-store.ts"
import { writeSnapshotDocument } from "../../stream/snapshot-document.ts"
import type { ClusterWriter } from "./cluster-aggregate.ts"
import { clusterStream } from "./cluster-aggregate.ts"

/** How long a snapshot is kept in memory after the last piece of it was read, ms. */
const keptMs = 30_000

/** A snapshot of the cluster as brokers read it. */
interface Served {
  /** It is the fold of all events before this index. */
  readonly endOffset: number
  readonly document: Uint8Array
}

interface Kept extends Served {
  usedAtMs: number
}

/** The newest snapshot of the cluster's stream, in memory only while brokers read it. */
export class ClusterSnapshots {
  private kept: Kept | undefined
  private readonly oneAtATime = Effect.unsafeMakeSemaphore(1)

  private constructor(
    private readonly journal: Journal["Type"],
    private readonly writer: Pick<ClusterWriter, "epoch" | "noteSnapshot" | "snapshot">,
    private readonly scope: Scope.Scope
  ) {}

  static readonly make = (writer: Pick<ClusterWriter, "epoch" | "noteSnapshot" | "snapshot">): Effect.Effect<ClusterSnapshots, never, Journal | Scope.Scope> =>
    Effect.gen(function* () {
      return new ClusterSnapshots(yield* Journal, writer, yield* Effect.scope)
    })

  /** Returns the snapshot that ends at `endOffset`; undefined where another is the newest, or there is none. */
  readonly of = (endOffset: number): Effect.Effect<Served | undefined, LogFault> => this.oneAtATime.withPermits(1)(this.read(endOffset))

  private read(endOffset: number): Effect.Effect<Served | undefined, LogFault> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      if (this.kept === undefined || this.kept.endOffset !== endOffset) {
        // Only what Fetch names is looked for: a client that asks for others makes the leader read none.
        if (endOffset !== this.writer.snapshot()?.endOffset) return undefined
        const snapshot = yield* this.journal.loadSnapshot(clusterStream)
        if (snapshot === undefined) return undefined
        this.writer.noteSnapshot(snapshot.index)
        if (snapshot.index !== endOffset) return undefined
        const isWatched = this.kept !== undefined
        this.kept = { endOffset, document: yield* runSteps(writeSnapshotDocument(snapshot, this.writer.epoch, crc32c)), usedAtMs: now }
        if (!isWatched) yield* Effect.forkIn(this.release, this.scope)
      }
      this.kept.usedAtMs = now
      return this.kept
    })
  }

  /** Lets go of the snapshot when it was not read for some time. */
  private readonly release: Effect.Effect<void> = Effect.gen(this, function* () {
    for (;;) {
      const { kept } = this
      if (kept === undefined) return
      const left = kept.usedAtMs + keptMs - (yield* Clock.currentTimeMillis)
      if (left <= 0) {
        this.kept = undefined
        return
      }
      yield* Effect.sleep(left)
    }
  })
}
