import { Effect, Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { RecordBatch } from "../../../domain/log/batch.ts"
import { LogFault } from "../../ports/log-store.ts"
import { type AppendRefusal, type LedPartition } from "../../stream/partition/led-partition.ts"
import type { Leading } from "../partition/leading/leading.ts"
import type { Replica } from "../partition/replica/replica.ts"
import type { Trimming } from "../partition/upkeep/trimming.ts"

/** Raises the starts of logs, and deletes the records before them. */
export type RaiseStarts = Trimming["raise"]

const nothing = (path: string, message: string): AppendRefusal => ({ tookNothing: true, fault: new LogFault({ path, reason: "offline", message }) })

/** A partition that this broker leads, for what the broker itself appends to it. */
export class LedReplicaPartition implements LedPartition {
  readonly epoch: number

  constructor(
    private readonly replica: Replica,
    private readonly leading: Leading,
    private readonly raise: RaiseStarts
  ) {
    this.epoch = leading.epoch
  }

  readonly isHeld = (): boolean => this.leading.isCurrent && !this.replica.isOffline
  readonly newestEpoch = () => this.replica.leaderEpoch()
  readonly start = () => this.replica.start()
  readonly end = () => this.replica.end()

  readonly append = (batch: Uint8Array, now: number): Either.Either<void, AppendRefusal> => {
    if (!this.leading.hasEnoughInSync) return Either.left(nothing(this.name, "fewer replicas are in sync than min.insync.replicas"))
    return Either.mapLeft(this.leading.appendOwn(new RecordBatch(batch), now), (refused): AppendRefusal => {
      if (!(refused instanceof LogFault)) return nothing(this.name, refused.message)
      return { tookNothing: refused.reason === "full" || refused.reason === "read-only", fault: refused }
    })
  }

  /** As acks=all, and also under log.flush.policy=interval this broker's disk has the records. */
  readonly whenCommitted = (end: Offset, done: (fault: LogFault | undefined) => void): (() => void) => {
    let cancel = (): void => undefined
    let isCancelled = false
    const last = end - 1
    const cancelCommit = this.leading.whenCommitted(last, (fault) => {
      if (isCancelled) return
      if (fault !== undefined || !this.isHeld() || this.leading.isSynced(last)) return done(fault)
      cancel = this.leading.whenSynced(last, done)
    })
    return () => {
      isCancelled = true
      cancelCommit()
      cancel()
    }
  }

  readonly read = (from: Offset, maxBytes: number, limit: Offset) => this.replica.read(from, maxBytes, limit)

  readonly raiseStart = (offset: Offset): Effect.Effect<void, LogFault> =>
    Effect.flatMap(this.raise([{ replica: this.replica, offset }]), ([result]) => result ?? Effect.void)

  readonly whenEnded = (ended: () => void): (() => void) => {
    const cancel = this.replica.onAdvance(() => {
      if (this.isHeld()) return
      cancel()
      ended()
    })
    return cancel
  }

  private get name(): string {
    return `${this.replica.topic}-${this.replica.partition}`
  }
}
