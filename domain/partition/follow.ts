import type { BrokerId, Epoch, Offset } from "../kernel/id.ts"
import type { EpochStart } from "../log/epoch-checkpoint.ts"
import type { DivergingEpoch } from "./lead.ts"

/**
 * A follower of a partition as steps: each function takes the state and returns the next one or what to do, without
 * clock, disk or network. Source: KIP-101, 279, 320, 595 and Kafka's model Kip320.
 *
 * How a broker drives it. It holds one `Follow` for each partition that it follows:
 *
 * - the image names another leader or leader epoch, or the broker restarted: `follow`;
 * - a fetch is to be sent: `nextFetch`, which has no value while records are not synced; then `fetchSent`;
 * - the answer came: `answered` says what to do. "cut": `PartitionLog.truncateTo(offset)`, durable first, then
 *   `wasCut`. "append": append the records as they are, `wasAppended`; sync the log, `wasSynced`; the high watermark of
 *   the answer with `heard`. "restart": `restartAt` at the base offset of the leader's batch that holds its log start,
 *   then `wasCut`. "ignore": nothing.
 *
 * The position is in no answer: it is the end of the own log and the epoch of its last record.
 */
export interface Follow {
  readonly leader: BrokerId | -1
  readonly leaderEpoch: Epoch
  readonly end: Offset
  readonly syncedEnd: Offset
  /** The epoch of the last record; -1: the log has none. */
  readonly lastEpoch: Epoch
  /** Never above `end`. Raised by an aligned log alone. */
  readonly highWatermark: Offset
  /** The leader has said, under this leader epoch, that its log has all of this one (Kip320, rules 1 and 2). */
  readonly isAligned: boolean
  /**
   * Consumers may read below it (KIP-392): what the leader has said about its high watermark under this leader epoch, as
   * far as this log goes; -1: nothing yet. It may be below `highWatermark`: after an unclean election the leader may lack
   * what was committed before, and this log loses it too.
   */
  readonly readable: Offset | undefined
  /** The number of the fetch that is under way; an answer to another one is ignored (KAFKA-7786). */
  readonly fetch: number
  readonly isWaiting: boolean
}

/** Where the log of a replica is when it begins to follow. */
interface FollowStart {
  readonly end: Offset
  readonly syncedEnd: Offset
  readonly lastEpoch: Epoch
  readonly highWatermark: Offset
}

/** Begins to follow: under a new leader epoch, and after each restart. The first fetch aligns the log. */
export const follow = (leader: BrokerId | -1, leaderEpoch: Epoch, start: FollowStart, fetch = 0): Follow => ({
  leader,
  leaderEpoch,
  end: start.end,
  syncedEnd: Math.min(start.syncedEnd, start.end),
  lastEpoch: start.lastEpoch,
  highWatermark: Math.min(start.highWatermark, start.end),
  isAligned: false,
  readable: undefined,
  fetch,
  isWaiting: false
})

/** What a fetch says about the partition. */
export interface NextFetch {
  readonly leaderEpoch: Epoch
  readonly offset: Offset
  readonly lastFetchedEpoch: Epoch
  /** To be passed to `answered` with the answer. */
  readonly fetch: number
}

/**
 * Returns the next fetch; undefined where there is no leader, a fetch is under way, or records are not synced yet: the
 * offset tells the leader what survives a power cut here.
 */
export const nextFetch = ({ end, fetch, isWaiting, lastEpoch, leader, leaderEpoch, syncedEnd }: Follow): NextFetch | undefined =>
  leader === -1 || isWaiting || syncedEnd < end ? undefined : { leaderEpoch, offset: end, lastFetchedEpoch: lastEpoch, fetch: fetch + 1 }

/** The fetch of `nextFetch` went out. */
export const fetchSent = (state: Follow): Follow => ({ ...state, fetch: state.fetch + 1, isWaiting: true })

/** What the leader answered for the partition. */
export type FetchResponse =
  | { readonly _tag: "diverging"; readonly diverging: DivergingEpoch }
  | { readonly _tag: "records"; readonly highWatermark: Offset; readonly logStart: Offset; readonly count: number }
  | { readonly _tag: "out of range"; readonly logStart: Offset }
  /** An error, or no answer: the fetch is sent again. */
  | { readonly _tag: "failed" }

/** What an answer means. */
type FollowAction =
  | { readonly _tag: "ignore" }
  | { readonly _tag: "cut"; readonly offset: Offset }
  | { readonly _tag: "append" }
  | { readonly _tag: "restart"; readonly logStart: Offset }

/**
 * Returns where a log is cut that leaves the leader's: not behind the leader's end of the epoch, nor behind the own end
 * of the largest epoch that is not above it (KIP-279). Never the high watermark (KIP-101).
 */
export const cutAt = (starts: ReadonlyArray<EpochStart>, end: Offset, { endOffset, epoch }: DivergingEpoch): Offset => {
  const above = starts.find((start) => start.epoch > epoch)
  return Math.min(endOffset, above === undefined ? end : above.offset, end)
}

const ignored: FollowAction = { _tag: "ignore" }
const appends: FollowAction = { _tag: "append" }

/** Whether an answer is that to the fetch under way, under the present leader epoch and position (KAFKA-7786). */
const isCurrent = (state: Follow, sent: NextFetch): boolean =>
  state.isWaiting && sent.fetch === state.fetch && sent.leaderEpoch === state.leaderEpoch && sent.offset === state.end

/** Returns the state after an answer, and what to do about it. `starts` are the epochs of the own log. */
export const answered = (
  state: Follow,
  sent: NextFetch,
  answer: FetchResponse,
  starts: ReadonlyArray<EpochStart>
): { readonly state: Follow; readonly action: FollowAction } => {
  if (!isCurrent(state, sent)) return { state, action: ignored }
  const next = { ...state, isWaiting: false }
  switch (answer._tag) {
    case "failed":
      return { state: next, action: ignored }
    case "diverging":
      return { state: { ...next, isAligned: false, readable: undefined }, action: { _tag: "cut", offset: cutAt(starts, state.end, answer.diverging) } }
    case "out of range":
      // The own log ends before the leader's begins; or it is empty, and the leader's ends before it, after an unclean election:
      // no epoch tells where they part. Never the end of following (KAFKA-7414).
      return {
        state: { ...next, isAligned: false, readable: undefined },
        action: state.end < answer.logStart || state.lastEpoch < 0 ? { _tag: "restart", logStart: answer.logStart } : ignored
      }
    case "records":
      return { state: { ...next, isAligned: true }, action: appends }
  }
}

/** The log was cut, or began anew: it ends at `end`, which is durable, with a record of `lastEpoch`. */
export const wasCut = (state: Follow, end: Offset, lastEpoch: Epoch): Follow => ({
  ...state,
  end,
  syncedEnd: end,
  lastEpoch,
  highWatermark: Math.min(state.highWatermark, end)
})

/** Records of the leader were appended up to `end`, the last of them of `lastEpoch`. */
export const wasAppended = (state: Follow, end: Offset, lastEpoch: Epoch): Follow => (end <= state.end ? state : { ...state, end, lastEpoch })

/** Records up to `syncedEnd` survive a power cut. Under `log.flush.policy=interval` the caller passes the end. */
export const wasSynced = (state: Follow, syncedEnd: Offset): Follow => {
  const reached = Math.min(syncedEnd, state.end)
  return reached <= state.syncedEnd ? state : { ...state, syncedEnd: reached }
}

/**
 * The leader's high watermark, from an answer that was used: it is raised after the alignment alone (KAFKA-14704), and
 * never above the own end. It does not fall under a leader epoch.
 */
export const heard = (state: Follow, highWatermark: Offset): Follow => {
  const reached = Math.min(highWatermark, state.end)
  if (!state.isAligned || (reached <= state.highWatermark && state.readable !== undefined && reached <= state.readable)) return state
  return { ...state, highWatermark: Math.max(state.highWatermark, reached), readable: Math.max(state.readable ?? 0, reached) }
}
