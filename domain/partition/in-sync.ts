import type { KafkaError } from "../kernel/error-code.ts"
import type { BrokerId, Epoch, Offset } from "../kernel/id.ts"
import type { ReplicaImage } from "./image.ts"

/**
 * The in-sync set of a partition, as its leader sees it: who may join, who has to leave, and for whom the high watermark
 * waits. The set itself changes in the cluster's journal alone (R7): a leader proposes, by AlterPartition, and believes
 * the image.
 */

/** A follower, as the partition leader sees it. */
export interface Follower extends ReplicaImage {
  /**
   * The end of its log that it has synced, by its last fetch under this leader epoch and its present broker epoch; -1:
   * it has not fetched under them, and counts as 0.
   */
  readonly end: Offset
  /** The start of its log, by the same fetch. */
  readonly logStart: Offset
  /** When it fell behind the leader's end, ms; -1: it is at the end. */
  readonly behindSince: number
  /** The leader's end at its last fetch, and when that was. */
  readonly endAtFetch: Offset
  readonly fetchedAt: number
  /** Within `nearMs` it fetched again, and had all that the leader had at its fetch before. */
  readonly isNear: boolean
  /** It is behind for longer than `replica.lag.time.max.ms`. */
  readonly isLagging: boolean
  /** The cluster's leader said that it cannot join now; until the image changes. */
  readonly isIneligible: boolean
}

/** An in-sync set that the partition leader asks for. */
export interface Proposal {
  readonly isr: ReadonlyArray<BrokerId>
  /**
   * The broker epoch of each of `isr`, in its order: those of the fetches by which they can join. A request has these,
   * also when it is sent later or again: a broker that registered meanwhile may have lost its log (KAFKA-15221).
   */
  readonly brokerEpochs: ReadonlyArray<Epoch>
  /** The epochs under which it is asked for. */
  readonly leaderEpoch: Epoch
  readonly partitionEpoch: Epoch
  /** How often it was sent. */
  readonly sent: number
}

/** What the in-sync rules look at. */
export interface InSyncView {
  readonly id: BrokerId
  /** The committed set. */
  readonly isr: ReadonlyArray<BrokerId>
  /** The committed set, and all replicas of proposals that may still be committed on it: the maximal in-sync set. */
  readonly maximal: ReadonlyArray<BrokerId>
  readonly epochStart: Offset
  readonly highWatermark: Offset
  /** The start of the own log when the leadership began: an earlier leader may have answered DeleteRecords up to there. */
  readonly firstLogStart: Offset
  readonly lowWatermark: Offset
}

/**
 * Whether a replica may join the in-sync set (Kip320, rule 4): it has all that is committed and the start of the
 * leader's epoch, it has deleted all that is deleted, and may lead. The end is of a fetch under the broker epoch that
 * the image has (KIP-903, KAFKA-15221).
 */
const canJoin = (view: InSyncView, { end, isIneligible, isLagging, logStart, mayJoin }: Follower): boolean =>
  mayJoin && !isIneligible && !isLagging && end >= view.highWatermark && end >= view.epochStart && hasDeleted(view, logStart)

/** Whether a log has none of the records for which DeleteRecords may have been answered. */
const hasDeleted = ({ firstLogStart, lowWatermark }: InSyncView, logStart: Offset): boolean => logStart >= firstLogStart && logStart >= lowWatermark

/** How long the rounds of a replica may be that is near the leader's end, ms. */
export const nearMs = 1000

/**
 * Whether the high watermark waits for a replica: it is in the maximal in-sync set, or could join now, or is near the end. Without the second the high watermark would pass a replica again and
 * again before its proposal is sent. Without the third a replica whose rounds (fetch, append, sync) are longer than twice those of the set would never join while records are appended: the
 * high watermark moves with the set, and is ahead of each of its fetches. Where it waits, the next fetch has all that it needs.
 */
export const isCounted = (view: InSyncView, follower: Follower): boolean => {
  const { isIneligible, isLagging, isNear, mayJoin } = follower
  return view.maximal.includes(follower.id) || canJoin(view, follower) || (isNear && mayJoin && !isIneligible && !isLagging)
}

/** The in-sync set that the leader wants: without those that lag, and with those that can join. In the order of the replicas. */
export const wantedIsr = (view: InSyncView, followers: ReadonlyArray<Follower>): ReadonlyArray<BrokerId> | undefined => {
  let differs = false
  for (const one of followers) if (view.isr.includes(one.id) ? one.isLagging : canJoin(view, one)) differs = true
  if (!differs) return undefined
  return [view.id, ...followers.filter((one) => (view.isr.includes(one.id) ? !one.isLagging : canJoin(view, one))).map(({ id }) => id)]
}

/** What the answer to a proposal means to the partition leader. */
export type ProposalOutcome = "decided" | "ineligible" | "unknown"

/**
 * Returns what an error of AlterPartition means: "decided": the image will say what is so; "ineligible": a replica
 * cannot join, and nothing was changed; "unknown": the request may or may not have been done, and is sent again.
 */
export const outcomeOf = (error: KafkaError): ProposalOutcome => {
  switch (error) {
    case "INELIGIBLE_REPLICA":
      return "ineligible"
    case "NONE":
    case "NEW_LEADER_ELECTED":
    case "FENCED_LEADER_EPOCH":
    case "INVALID_UPDATE_VERSION":
    case "INVALID_REQUEST":
    case "UNKNOWN_TOPIC_ID":
    case "UNKNOWN_TOPIC_OR_PARTITION":
      return "decided"
    default:
      return "unknown"
  }
}
