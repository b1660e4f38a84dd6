import { Effect, Queue } from "effect"
import { Watch } from "../../../stream/watch.ts"
import type { Replica } from "../replica/replica.ts"

/** What the replicas of this broker tell the fibers that talk to other brokers and to the cluster's leader. */
export interface ReplicaSignals {
  /** Led replicas whose proposal for the in-sync set is to be sent. */
  readonly proposing: Set<Replica>
  /** There is a proposal. */
  readonly proposals: Queue.Queue<void>
  /** The log of a leader starts later than that of its follower here. */
  readonly starts: Queue.Queue<void>
  /** A replica has begun or ended to follow a leader. */
  readonly follows: Queue.Queue<void>
  /** A replica of an internal topic has begun or ended to lead. */
  readonly internalRoles: Queue.Queue<void>
  /** Looks that wait until the replicas of this broker, their roles or their settings change. */
  readonly looks: { readonly replication: Watch; readonly flushing: Watch }
}

/** The replicas of this broker, their roles or their settings have changed. */
export const wakeLooks = ({ looks }: ReplicaSignals): void => {
  looks.replication.wake()
  looks.flushing.wake()
}

export const makeReplicaSignals: Effect.Effect<ReplicaSignals> = Effect.gen(function* () {
  const signal = Queue.sliding<void>(1)
  const looks = { replication: new Watch(), flushing: new Watch() }
  return { proposing: new Set(), proposals: yield* signal, starts: yield* signal, follows: yield* signal, internalRoles: yield* signal, looks }
})
