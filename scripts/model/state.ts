import type { Partition } from "../../domain/cluster/state.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import type { EpochStart } from "../../domain/log/epoch-checkpoint.ts"
import type { FetchResponse, Follow, NextFetch } from "../../domain/partition/follow.ts"
import type { Proposal } from "../../domain/partition/in-sync.ts"
import type { Lead } from "../../domain/partition/lead.ts"

/** A record: the epoch in which it was appended, and a number that no other record has. */
export interface ModelRecord {
  readonly epoch: number
  readonly id: number
}

/** A response to a follower that it has not processed. */
interface Response {
  readonly sent: NextFetch
  readonly answer: FetchResponse
  readonly record: ModelRecord | undefined
}

/** One broker with its replica. */
export interface Replica {
  readonly isUp: boolean
  readonly log: ReadonlyArray<ModelRecord>
  /** Records that survive a power cut. */
  readonly synced: number
  /** The first record that is not deleted. It survives power cuts. */
  readonly start: number
  readonly starts: ReadonlyArray<EpochStart>
  readonly lead: Lead | undefined
  readonly follow: Follow | undefined
  /** What the replica knew before it has a role. */
  readonly highWatermark: number
  /** The version of the journal that its image has; undefined: the broker has not read any. */
  readonly image: Version | undefined
  readonly response: Response | undefined
  /** A response that its follower does not expect any more: the fetch timed out, or the broker has had another role since. */
  readonly late: Response | undefined
}

/** A registration in the journal. Its broker epoch is how often the broker registered. */
export interface Registration {
  readonly epoch: number
  readonly isFenced: boolean
}

/** The journal's state after one of its events. */
export interface Version {
  readonly partition: Partition
  readonly brokers: ReadonlyArray<Registration>
  readonly minIsr: number
}

/** A copy of an AlterPartition request that the cluster's leader has not processed. */
export interface AlterRequest {
  readonly by: number
  readonly brokerEpoch: number
  readonly proposal: Proposal
}

/** Everything at one moment. */
export interface ModelState {
  /** The journal's newest version. An image may have any earlier one, for as long as it does not read this one. */
  readonly now: Version
  /** With `readsOldVersions`: the versions that an image has not read yet, the oldest first, before `now`. */
  readonly unread: ReadonlyArray<Version>
  readonly replicas: ReadonlyArray<Replica>
  readonly alters: ReadonlyArray<AlterRequest>
  readonly appended: number
  /** Power cuts so far, where their number is bounded; otherwise 0. */
  readonly cuts: number
}

/** What a search varies. */
export interface Bounds {
  readonly replicas: number
  readonly records: number
  /** Leader epochs. */
  readonly epochs: number
  readonly minIsr: number
  /** Copies of AlterPartition requests under way; 0: a request is decided in the step that sends it. */
  readonly alters: number
  /** Whether `min.insync.replicas` is raised to 2 at any moment, where it is 1. */
  readonly raisesMinIsr: boolean
  /** Whether followers are fenced too; otherwise leaders alone. */
  readonly fencesFollowers: boolean
  /** Whether power cuts happen, at any moment; without them every append is synced at once. */
  readonly powerCuts: boolean
  /** How many of them happen at most; infinite: any number. */
  readonly powerCutsMax: number
  /** Whether responses to fetches are under way; without it a fetch and its response are one step. */
  readonly responses: boolean
  /** Whether a response may arrive after its follower has given up the fetch, or has had another role. */
  readonly lateResponses: boolean
  /** Whether a broker may act by a version of the journal that is not the newest one any more when its image reads it. */
  readonly readsOldVersions: boolean
  /** Whether a broker that restarts may find its disk empty, and says so when it registers. */
  readonly losesDisks: boolean
  /** Whether DeleteRecords deletes what is committed, at any moment. */
  readonly deletesRecords: boolean
}

export const idOf = (index: number): BrokerId => index as BrokerId

/** Returns the first state: all replicas are in sync, the first one is about to lead under epoch 0. */
export const firstState = (bounds: Bounds): ModelState => {
  const ids = Array.from({ length: bounds.replicas }, (_, index) => idOf(index))
  const partition: Partition = { replicas: ids, isr: ids, elr: [], adding: [], removing: [], leader: idOf(0), leaderEpoch: 0, partitionEpoch: 0 }
  const brokers = ids.map(() => ({ epoch: 0, isFenced: false }))
  const replica: Replica = {
    isUp: true,
    log: [],
    synced: 0,
    start: 0,
    starts: [],
    lead: undefined,
    follow: undefined,
    highWatermark: 0,
    image: undefined,
    response: undefined,
    late: undefined
  }
  return { now: { partition, brokers, minIsr: bounds.minIsr }, unread: [], replicas: ids.map(() => replica), alters: [], appended: 0, cuts: 0 }
}
