import { Effect, Either } from "effect"
import { BrokerId } from "../../../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../../../domain/log/batch.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import type { DerivedState } from "../../../../../src/broker/partition/replica/derived-state.ts"
import { FollowedLog } from "../../../../../src/broker/partition/replica/followed-log.ts"
import { type FollowedReplica, Following } from "../../../../../src/broker/partition/replica/following.ts"
import type { HighWatermark } from "../../../../../src/broker/partition/replica/high-watermark.ts"
import type { ReplicationServices } from "../../../../../src/broker/partition/replica/replication-services.ts"
import type { PartitionLog } from "../../../../../src/ports/log-store.ts"
import { topicId } from "../../../ports/log-batches.ts"

const leaderId = BrokerId.make(1)

/** A replica that follows broker 1, over a log whose syncs and cuts end when the test says so. Its records from offset 8 on are of epoch 5, those before of epoch 4. */
export class ScriptedReplica {
  end: number
  synced: number
  readonly appended: Array<RecordBatch> = []
  following: Following | undefined
  /** Ends the sync or the cut that is under way. */
  finish: (() => void) | undefined
  readonly isUnwritable = false
  readonly topicId = topicId
  readonly topic = "orders"
  leaderStart = 0
  /** How often the log was said to be settled. */
  settled = 0
  readonly followed: FollowedLog

  constructor(
    readonly partition: number,
    end: number
  ) {
    this.end = this.synced = end
    const derived = {
      isEmpty: false,
      lastRecordEpoch: () => (this.end > 8 ? 5 : 4),
      comparedEpochs: () => [
        { epoch: 4, offset: 0 },
        { epoch: 5, offset: 8 }
      ],
      follow: () => undefined,
      refold: () => Effect.void
    } as unknown as DerivedState
    this.followed = new FollowedLog(
      {
        end: () => this.end,
        syncedEnd: () => this.synced,
        sync: this.slowly(() => (this.synced = this.end)),
        truncateTo: (offset: number) => this.slowly(() => (this.end = this.synced = offset)),
        appendAsFollower: (batches: ReadonlyArray<RecordBatch>) => {
          this.appended.push(...batches)
          this.end += batches.length
          return Either.void
        }
      } as unknown as PartitionLog,
      {
        name: `orders-${partition}`,
        of: { topicId, partition },
        services: {
          countsUnsynced: false,
          logSettled: () => void this.settled++,
          now: () => 0,
          producerExpirationMs: () => 1,
          recordsLost: () => undefined
        } as unknown as ReplicationServices,
        derived,
        highWatermark: { get: () => 0, cut: () => undefined, learn: () => false } as unknown as HighWatermark,
        crc32c,
        report: () => undefined,
        failed: (fault) => fault,
        start: () => 0,
        startDropped: () => undefined,
        advanced: () => undefined
      }
    )
    this.elected(5)
  }

  private slowly(done: () => void): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      this.finish = () => {
        done()
        resume(Effect.void)
      }
    })
  }
  /** The leader is elected under this epoch. */
  elected(epoch: number): void {
    this.following = new Following(this as unknown as FollowedReplica, leaderId, epoch, this.following?.fetches ?? 0)
  }
  readonly start = () => 0
}
