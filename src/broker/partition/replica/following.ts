import { Effect, Either } from "effect"
import type { BrokerId, Epoch, Offset } from "../../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import {
  answered,
  type Follow,
  fetchSent,
  follow,
  heard,
  type NextFetch,
  nextFetch,
  wasAppended,
  wasCut,
  wasSynced
} from "../../../../domain/partition/follow.ts"
import type { LogFault, MisplacedBatch } from "../../../ports/log-store.ts"
import type { FollowedLog } from "./followed-log.ts"
import { FollowerView, type ViewedFollower } from "./follower-view.ts"

/** The replica that follows. */
export interface FollowedReplica extends ViewedFollower {
  readonly following: Following | undefined
  readonly followed: FollowedLog
  readonly isUnwritable: boolean
}

type FetchResponse = Parameters<typeof answered>[2]
type FollowAction = ReturnType<typeof answered>["action"]

/** The response of the leader for the partition, with its records. */
export type LeaderResponse = FetchResponse & { readonly batches?: ReadonlyArray<RecordBatch>; readonly sparseEnd?: Offset }

const startOf = (log: FollowedLog) => ({
  end: log.end(),
  syncedEnd: log.durableEnd(),
  lastEpoch: log.derived.lastRecordEpoch(),
  highWatermark: log.highWatermark()
})

/**
 * What a broker does as a follower of a partition, under one leader epoch: the shell around `domain/partition/follow.ts`.
 * The fetcher of the leader's broker calls it.
 */
export class Following {
  private state: Follow
  private readonly log: FollowedLog
  private readonly consumers: FollowerView

  constructor(
    private readonly replica: FollowedReplica,
    readonly leader: BrokerId,
    readonly leaderEpoch: Epoch,
    fetch: number
  ) {
    this.log = replica.followed
    this.state = follow(leader, leaderEpoch, startOf(replica.followed), fetch)
    this.consumers = new FollowerView(replica, this)
  }

  get isCurrent(): boolean {
    return this.replica.following === this
  }
  /** The number of its last fetch: the next leadership continues from there, so that no answer to an older one is used. */
  get fetches(): number {
    return this.state.fetch
  }

  /** Consumers may read below it; undefined: nothing yet. */
  get readable(): Offset | undefined {
    return this.state.readable
  }
  /** The partition as consumers read it here; undefined until the leader has said, in this leader epoch, what is committed. */
  get view(): FollowerView | undefined {
    return this.state.readable === undefined ? undefined : this.consumers
  }

  /**
   * Returns the fetch to send now, and notes it as sent; undefined while one is under way, its answer changes the log,
   * records are not synced, or the disk is full: the partition's leader would take the replica up by it.
   */
  fetch(): NextFetch | undefined {
    if (this.replica.isUnwritable || this.log.isChanging) return undefined
    // A cut of the leadership before was under way when this one began.
    if (!this.state.isWaiting && this.state.end !== this.log.end()) this.state = follow(this.leader, this.leaderEpoch, startOf(this.log), this.state.fetch)
    // A broker that led has records that are not synced when it begins to follow; no append of a follower syncs them.
    this.state = wasSynced(this.state, this.log.durableEnd())
    const next = nextFetch(this.state)
    if (next === undefined) return undefined
    this.state = fetchSent(this.state)
    return next
  }

  /** Whether the fetch has no answer yet. */
  isUnderWay({ fetch }: NextFetch): boolean {
    return this.isCurrent && this.state.isWaiting && this.state.fetch === fetch
  }

  /** A fetch has no answer: it is sent again. Another fetcher may have sent a later one by now, which continues. */
  failed(sent: NextFetch): void {
    this.state = answered(this.state, sent, { _tag: "failed" }, []).state
  }

  /** Does what the answer to a fetch says. Returns whether records were appended, which are not synced yet. */
  answered(sent: NextFetch, answer: LeaderResponse): Effect.Effect<boolean, LogFault | MisplacedBatch> {
    return Effect.suspend(() => {
      if (!this.isCurrent) return Effect.succeed(false)
      const { action, state } = answered(this.state, sent, answer, this.log.derived.comparedEpochs())
      this.state = state
      return this.log.changing(this.act(action, answer))
    })
  }

  /** Records that were appended are synced. */
  readonly sync: Effect.Effect<void, LogFault> = Effect.suspend(() =>
    Effect.map(this.log.sync, () => {
      this.state = wasSynced(this.state, this.log.durableEnd())
    })
  )

  private act(action: FollowAction, answer: LeaderResponse): Effect.Effect<boolean, LogFault | MisplacedBatch> {
    switch (action._tag) {
      case "ignore":
        return Effect.succeed(false)
      case "cut":
        return Effect.as(this.cut(action.offset), false)
      case "restart":
        return Effect.as(this.lowered(action.logStart, this.log.copyFrom(action.logStart)), false)
      case "append":
        return this.append(answer)
    }
  }

  private append({ batches = [], sparseEnd = 0, ...answer }: LeaderResponse): Effect.Effect<boolean, LogFault | MisplacedBatch> {
    const [first] = batches
    const end = this.log.end()
    // An empty log that begins where the leader's does: the leader's batch may begin before its log start (KAFKA-6975).
    const restarted = first !== undefined && first.baseOffset < end && this.log.derived.isEmpty ? this.moved(this.log.restartAt(first.baseOffset)) : Effect.void
    const prepared = batches.length === 0 ? restarted : Effect.flatMap(restarted, () => this.log.prepared(batches, sparseEnd))
    return Effect.flatMap(prepared, (filled) => {
      // The wait for the disk may have taken until after an election.
      if (!this.isCurrent) return Effect.succeed(false)
      return Either.map(filled === undefined ? Either.void : this.log.append(filled), () => {
        const before = this.state.readable
        this.state = wasAppended(this.state, this.log.end(), this.log.derived.lastRecordEpoch())
        if (answer._tag === "records") this.state = heard(this.state, answer.highWatermark)
        this.log.learned(this.state.highWatermark, this.state.readable !== before)
        return batches.length > 0
      })
    })
  }

  private cut(offset: Offset): Effect.Effect<void, LogFault> {
    return this.lowered(offset, this.log.cutTo(offset, this.leaderEpoch, this.log.highWatermark()))
  }
  /** An election may come while the lower high watermark is stored: a leader's log is not cut. */
  private lowered(offset: Offset, cut: Effect.Effect<void, LogFault>): Effect.Effect<void, LogFault> {
    return Effect.flatMap(this.log.lowered(offset), () => (this.isCurrent ? this.moved(cut) : Effect.void))
  }
  private moved(cut: Effect.Effect<void, LogFault>): Effect.Effect<void, LogFault> {
    return Effect.map(cut, () => {
      this.state = wasCut(this.state, this.log.end(), this.log.derived.lastRecordEpoch())
    })
  }
}
