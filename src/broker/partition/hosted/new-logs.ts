import { Effect, Exit, Scope } from "effect"
import type { Cluster } from "../../../../domain/cluster/state.ts"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import type { LogFault } from "../../../ports/log-store.ts"
import type { MadeLogs } from "../../made-logs.ts"
import type { Replica } from "../replica/replica.ts"
import { keyOf, type TopicIdPartition } from "../topic-id-partition.ts"
import { inLanes } from "./lanes.ts"
import type { Placed } from "./roles.ts"

/** A log that is open, and not served yet. */
export interface OpenedLog {
  readonly of: TopicIdPartition
  readonly replica: Replica
  readonly scope: Scope.CloseableScope
  /** What the image and the settings were when it was opened. */
  readonly placed: Placed
  readonly nodeConfig: NodeConfig
}

/** Closes the files of a log. */
export const closeFiles = ({ scope }: Pick<OpenedLog, "scope">): Effect.Effect<void> => Scope.close(scope, Exit.void)

/** New logs of a round, which are served once it is durable that they were made. */
export class NewLogs {
  private readonly waiting = new Map<string, OpenedLog>()

  constructor(
    private readonly made: MadeLogs["Type"],
    private readonly cluster: () => Cluster,
    /** Logs that are synced at a time. */
    private readonly lanes: number
  ) {}

  /** Whether the log has to wait; it is kept until `settle`. */
  add(opened: OpenedLog): boolean {
    const { of, placed, replica } = opened
    if (!this.made.needsNote(of, placed.partition.replicas.length > 1 && replica.end() === 0)) return false
    this.waiting.set(keyOf(of), opened)
    return true
  }

  /** Makes the logs durable, then notes that they were made. Calls `serve`, or `failed` for a log that cannot be served. */
  settle(serve: (opened: OpenedLog) => Effect.Effect<void>, failed: (opened: OpenedLog, fault: LogFault) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const all = [...this.waiting.values()]
      this.waiting.clear()
      if (all.length === 0) return Effect.void
      const synced: Array<OpenedLog> = []
      const fails = (opened: OpenedLog, fault: LogFault) => Effect.zipRight(closeFiles(opened), failed(opened, fault))
      const sync = (opened: OpenedLog) =>
        Effect.matchEffect(opened.replica.sync, {
          onSuccess: () => Effect.sync(() => void synced.push(opened)),
          onFailure: (fault) => fails(opened, fault)
        })
      const note = Effect.suspend(() =>
        this.made.note(
          synced.map(({ of }) => of),
          this.cluster
        )
      )
      const noted = Effect.matchEffect(note, {
        onSuccess: () => Effect.forEach(synced, serve, { discard: true }),
        onFailure: (fault) => Effect.forEach(synced, (opened) => fails(opened, fault), { discard: true })
      })
      return Effect.zipRight(
        inLanes(all, this.lanes, sync),
        Effect.suspend(() => (synced.length === 0 ? Effect.void : noted))
      )
    }).pipe(Effect.uninterruptible)
  }

  /** Closes those that still wait. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => Effect.forEach([...this.waiting.values()], closeFiles, { discard: true }))
}
