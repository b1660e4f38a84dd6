import type { KafkaError } from "../kernel/error-code.ts"
import type { BrokerId, Epoch, Offset } from "../kernel/id.ts"
import type { PartitionImage } from "./image.ts"
import { type Follower, type InSyncView, isCounted, nearMs, type Proposal, type ProposalOutcome, wantedIsr } from "./in-sync.ts"

/**
 * The leader of a partition as steps: each function takes the state and returns the next one, without clock, disk or
 * network. Source: Kafka's replication (KIP-101, 279, 320, 497, 841, 903, 966) and its model Kip320.
 *
 * How a broker drives it. It holds one `Lead` for each partition that it leads, and replaces it by what a step returns:
 *
 * - the image makes it the leader under a new epoch: note the epoch's start at the log's end, then `lead`;
 * - a batch was appended: `appended`; the log was synced up to an offset: `synced`; its start was raised: `started`;
 * - a replica fetches: `fetchRefusal` first; then `divergence`: where it returns a value, the response has it, no
 *   records, and no step is taken; otherwise `fetched`, before the records are read;
 * - the image has another partition epoch, another min ISR, or a replica's broker changed there: `image`;
 * - AlterPartition was sent: `proposalSent`; answered, or its answer was lost: `proposalAnswered`;
 * - twice in `replica.lag.time.max.ms`: `tick`.
 *
 * After each step it compares three fields with those before. `highWatermark`: it completes the requests that wait for it,
 * and gives consumers what is below. `lowWatermark`: it completes the DeleteRecords that wait for it. `proposal`: it sends
 * a new one (`sent` 0) with the next AlterPartition.
 */
export interface Lead extends InSyncView {
  readonly epoch: Epoch
  readonly partitionEpoch: Epoch
  /** The own broker epoch. */
  readonly brokerEpoch: Epoch
  readonly minIsr: number
  /** The replicas that have all that is committed, too, and are not in the in-sync set. */
  readonly elr: ReadonlyArray<BrokerId>
  /** The end of the own log, and how much of it survives a power cut. */
  readonly end: Offset
  readonly syncedEnd: Offset
  /** The start of the own log. */
  readonly logStart: Offset
  /** All replicas but this one. */
  readonly followers: ReadonlyArray<Follower>
  /** The proposal that is to be sent, or was sent; undefined: none. */
  readonly proposal: Proposal | undefined
}

/** How much the high watermark may reach: the smallest end of all replicas for which it waits. */
const committedEnd = (view: Lead, followers: ReadonlyArray<Follower>, end: Offset, syncedEnd: Offset): Offset => {
  // One replica: the leader's end, as before there were others (decision 7).
  if (followers.length === 0) return end
  let least = syncedEnd
  for (const one of followers) if (one.end < least && isCounted(view, one)) least = Math.max(0, one.end)
  return least
}

/** KIP-966: nothing is committed while too few replicas are in sync. The high watermark never falls. */
const withHighWatermark = (state: Lead): Lead => {
  if (state.isr.length < state.minIsr) return state
  const reached = committedEnd(state, state.followers, state.end, state.syncedEnd)
  return reached > state.highWatermark ? { ...state, highWatermark: reached } : state
}

/**
 * The low watermark is the smallest start of the logs of all replicas that may lead next without losing records (the
 * maximal in-sync set and the ELR), and of all live ones, as in Kafka. It never falls. Kafka counts live replicas alone:
 * one of the ELR that is down and is elected later has the deleted records again. A replica that has not fetched under
 * this leader epoch and its present broker epoch counts as one that has deleted nothing.
 */
const withLowWatermark = (state: Lead): Lead => {
  let least = state.logStart
  for (const { id, logStart, mayJoin } of state.followers)
    if (logStart < least && (mayJoin || state.maximal.includes(id) || state.isr.includes(id) || state.elr.includes(id))) least = logStart
  return least > state.lowWatermark ? { ...state, lowWatermark: least } : state
}

const brokerEpochsOf = ({ brokerEpoch, followers, id }: Lead, isr: ReadonlyArray<BrokerId>): ReadonlyArray<Epoch> =>
  isr.map((one) => (one === id ? brokerEpoch : (followers.find((follower) => follower.id === one)?.brokerEpoch ?? -1)))

/** A proposal is made by what is so, not by what happened: one that could not be made earlier is made now. */
const withProposal = (state: Lead): Lead => {
  if (state.proposal !== undefined) return state
  const isr = wantedIsr(state, state.followers)
  if (isr === undefined) return state
  const maximal = [...state.maximal, ...isr.filter((id) => !state.maximal.includes(id))]
  return {
    ...state,
    maximal,
    proposal: { isr, brokerEpochs: brokerEpochsOf(state, isr), leaderEpoch: state.epoch, partitionEpoch: state.partitionEpoch, sent: 0 }
  }
}

const followersOf = (self: BrokerId, { replicas }: PartitionImage, before: ReadonlyArray<Follower>, end: Offset, at: number): ReadonlyArray<Follower> =>
  replicas
    .filter(({ id }) => id !== self)
    .map(({ brokerEpoch, id, mayJoin }): Follower => {
      const known = before.find((one) => one.id === id)
      // A broker that registered again may have lost its log: what its earlier process fetched does not count (KIP-903).
      if (known !== undefined && known.brokerEpoch === brokerEpoch) return { ...known, mayJoin, isNear: known.isNear && mayJoin, isIneligible: false }
      return {
        id,
        brokerEpoch,
        mayJoin,
        end: -1,
        logStart: 0,
        behindSince: at,
        endAtFetch: end,
        fetchedAt: at,
        isNear: false,
        isLagging: false,
        isIneligible: false
      }
    })

const brokerEpochIn = ({ replicas }: PartitionImage, id: BrokerId): Epoch => replicas.find((one) => one.id === id)?.brokerEpoch ?? -1

/** Where the log of a replica is when it begins to lead. */
interface LeadStart {
  readonly id: BrokerId
  readonly end: Offset
  readonly syncedEnd: Offset
  /** What the replica knew as a follower, or as the leader before. */
  readonly highWatermark: Offset
  readonly logStart: Offset
  /** ms. */
  readonly at: number
}

/**
 * Begins to lead under the leader epoch of `image`. Also for a broker that led under an epoch before: its followers
 * have to fetch under the new one before they count (Kip320, rule 3).
 */
export const lead = (image: PartitionImage, { at, end, highWatermark, id, logStart, syncedEnd }: LeadStart): Lead =>
  withHighWatermark(
    withLowWatermark({
      id,
      epoch: image.leaderEpoch,
      brokerEpoch: brokerEpochIn(image, id),
      partitionEpoch: image.partitionEpoch,
      minIsr: image.minIsr,
      isr: image.isr,
      elr: image.elr,
      maximal: image.isr,
      end,
      syncedEnd: Math.min(syncedEnd, end),
      logStart,
      firstLogStart: logStart,
      lowWatermark: 0,
      epochStart: end,
      highWatermark: Math.min(highWatermark, end),
      followers: followersOf(id, image, [], end, at),
      proposal: undefined
    })
  )

/** Replicas that were at the end are behind from now on. The array is copied for the first append after their fetch alone. */
const passed = (followers: ReadonlyArray<Follower>, end: Offset, at: number): ReadonlyArray<Follower> => {
  let after = followers
  for (let index = 0; index < followers.length; index++) {
    const one = followers[index] as Follower
    if (one.behindSince >= 0 || one.end < end) continue
    if (after === followers) after = followers.slice()
    ;(after as Array<Follower>)[index] = { ...one, behindSince: at }
  }
  return after
}

/** Records were appended: the log ends at `end`. */
export const appended = (state: Lead, end: Offset, at: number): Lead => {
  if (end <= state.end) return state
  const next = { ...state, end, followers: passed(state.followers, state.end, at) }
  return state.followers.length === 0 ? withHighWatermark(next) : next
}

/** Records up to `syncedEnd` survive a power cut. Under `log.flush.policy=interval` the caller passes the end. */
export const synced = (state: Lead, syncedEnd: Offset): Lead => {
  const reached = Math.min(syncedEnd, state.end)
  return reached <= state.syncedEnd ? state : withHighWatermark({ ...state, syncedEnd: reached })
}

/** The own log starts at `logStart`: DeleteRecords or retention raised it. */
export const started = (state: Lead, logStart: Offset): Lead => (logStart <= state.logStart ? state : withLowWatermark({ ...state, logStart }))

/** A replica's fetch. */
export interface ReplicaFetch {
  readonly id: number
  readonly brokerEpoch: Epoch
  readonly leaderEpoch: Epoch
  /** The end of the replica's log, synced. */
  readonly offset: Offset
  /** The epoch of its last record, also where that one is deleted; -1: it does not know one. */
  readonly lastFetchedEpoch: Epoch
  readonly logStart: Offset
}

/** Returns the error of a fetch that changes nothing (R5); undefined for one that is served. */
export const fetchRefusal = (state: Lead, { brokerEpoch, id, leaderEpoch }: ReplicaFetch): KafkaError | undefined => {
  if (leaderEpoch < state.epoch) return "FENCED_LEADER_EPOCH"
  if (leaderEpoch > state.epoch) return "UNKNOWN_LEADER_EPOCH"
  const follower = state.followers.find((one) => one.id === id)
  // The replica was assigned by an event that this image does not have yet, or is no longer one: it asks again.
  if (follower === undefined) return "UNKNOWN_LEADER_EPOCH"
  // It has registered, and this image does not have that yet: nothing that it fetches could count (KIP-903). A fetch that was served could be its last one for long, where nothing is appended.
  if (brokerEpoch > follower.brokerEpoch) return "UNKNOWN_LEADER_EPOCH"
  return brokerEpoch < follower.brokerEpoch ? "NOT_LEADER_OR_FOLLOWER" : undefined
}

/** The end of an epoch in the leader's log, as `EpochStarts.endOf` answers it; undefined: not known. */
export type EndOfEpoch = (epoch: Epoch) => { readonly epoch: Epoch; readonly endOffset: Offset } | undefined

/** Where a replica's log leaves the leader's. */
export interface DivergingEpoch {
  readonly epoch: Epoch
  readonly endOffset: Offset
}

/**
 * Returns where the log of a replica leaves that of the leader (KIP-595, KIP-320); undefined where the leader's log has
 * all of it. An epoch that is not known here has no records here.
 *
 * A log that was begun anew where the log of an earlier leader started knows no epoch. Behind the own start it may lack
 * records that an unclean election put there, and it is copied from that start on. Kafka does not compare it. The log of
 * a replica that the in-sync set or the ELR names agrees with all that is committed: it is not copied again, since a
 * member of these sets could be elected meanwhile, at a lower end.
 */
export const divergence = (
  { elr, isr }: Pick<Lead, "elr" | "isr">,
  endOf: EndOfEpoch,
  logStart: Offset,
  { id, lastFetchedEpoch, offset }: ReplicaFetch
): DivergingEpoch | undefined => {
  const fromStart = { epoch: -1, endOffset: logStart }
  if (lastFetchedEpoch < 0) return offset <= logStart || [...isr, ...elr].some((each) => each === id) ? undefined : fromStart
  const end = endOf(lastFetchedEpoch)
  if (end === undefined) return fromStart
  return end.epoch < lastFetchedEpoch || end.endOffset < offset ? end : undefined
}

/**
 * A replica fetched: its log has all records below the offset, on its disk. One under another broker epoch than the
 * image has is not counted: `fetchRefusal` refuses it.
 */
export const fetched = (state: Lead, { brokerEpoch, id, logStart, offset }: ReplicaFetch, at: number): Lead => {
  const index = state.followers.findIndex((one) => one.id === id)
  const before = state.followers[index]
  if (before === undefined || before.brokerEpoch !== brokerEpoch || offset > state.end) return state
  const isAtEnd = offset >= state.end
  // Kafka's rule: a replica that reaches where the end was at its last fetch was caught up then.
  const hasReached = before.end >= 0 && offset >= before.endAtFetch
  const since = hasReached ? Math.max(before.behindSince, before.fetchedAt) : before.behindSince
  const behindSince = isAtEnd ? -1 : since < 0 ? at : since
  // A replica that is at the end does not lag; another one does until a tick looks at it again.
  const isLagging = before.isLagging && !isAtEnd && behindSince === before.behindSince
  const isNear = hasReached && at > before.fetchedAt && at - before.fetchedAt <= nearMs
  const after = { ...before, end: offset, logStart, behindSince, endAtFetch: state.end, fetchedAt: at, isNear, isLagging }
  if (after.end === before.end && behindSince === before.behindSince && isLagging === before.isLagging && logStart === before.logStart && isAtEnd) return state
  const followers = state.followers.slice()
  followers[index] = after
  const next = { ...state, followers }
  return withHighWatermark(withProposal(logStart === before.logStart ? next : withLowWatermark(next)))
}

const sameIds = (one: ReadonlyArray<BrokerId>, other: ReadonlyArray<BrokerId>): boolean =>
  one.length === other.length && one.every((id, at) => id === other[at])

/**
 * The image changed what concerns the partition, under the same leader epoch. Only this changes the committed in-sync
 * set: an answer to AlterPartition could overtake a raised min ISR. A newer partition epoch decides what was proposed.
 */
export const image = (state: Lead, now: PartitionImage, at: number): Lead => {
  if (now.leaderEpoch !== state.epoch || now.partitionEpoch < state.partitionEpoch) return state
  const { proposal } = state
  // A proposal that was not sent is made anew: a broker of it may have registered again, and have another log.
  const isUnsent = proposal !== undefined && proposal.sent === 0 && !sameIds(proposal.isr, state.isr)
  const isDecided = now.partitionEpoch > state.partitionEpoch || isUnsent
  const next: Lead = {
    ...state,
    partitionEpoch: now.partitionEpoch,
    minIsr: now.minIsr,
    isr: now.isr,
    elr: now.elr,
    maximal: isDecided ? now.isr : state.maximal,
    followers: followersOf(state.id, now, state.followers, state.end, at),
    brokerEpoch: brokerEpochIn(now, state.id),
    proposal: isDecided ? undefined : proposal
  }
  return withHighWatermark(withProposal(withLowWatermark(next)))
}

/**
 * Returns the offset below which acks=all is answered: the high watermark, and never what is not synced here. The high
 * watermark of a partition that had one replica until now may be above the synced end (decision 7).
 */
export const acknowledgedEnd = ({ highWatermark, syncedEnd }: Lead): Offset => Math.min(highWatermark, syncedEnd)

/** The proposal went out in an AlterPartition request, once more. */
export const proposalSent = (state: Lead): Lead =>
  state.proposal === undefined ? state : { ...state, proposal: { ...state.proposal, sent: state.proposal.sent + 1 } }

/**
 * The answer to `proposal`, or none: a request whose answer was lost is sent again, which compare-and-set makes
 * harmless.
 *
 * A proposal with an ineligible replica is dropped. One that was sent twice may have a copy under way, which could be
 * accepted later, once the replica is eligible: then the maximal set stays, and the committed set is proposed, whose
 * event raises the partition epoch and so refuses the copy.
 */
export const proposalAnswered = (state: Lead, proposal: Proposal, outcome: ProposalOutcome): Lead => {
  const now = state.proposal
  if (now === undefined || now.partitionEpoch !== proposal.partitionEpoch || outcome !== "ineligible" || !sameIds(now.isr, proposal.isr)) return state
  const followers = state.followers.map((one) => (now.isr.includes(one.id) && !state.isr.includes(one.id) ? { ...one, isIneligible: true } : one))
  if (now.sent > 1) return { ...state, followers, proposal: { ...now, isr: state.isr, brokerEpochs: brokerEpochsOf(state, state.isr), sent: 0 } }
  return withHighWatermark(withProposal({ ...state, followers, maximal: state.isr, proposal: undefined }))
}

/** Looks for replicas that lag, and for those that are near and stopped fetching: at least twice in `lagMaxMs`, `replica.lag.time.max.ms`. */
export const tick = (state: Lead, at: number, lagMaxMs: number): Lead => {
  const lags = ({ behindSince }: Follower): boolean => behindSince >= 0 && at - behindSince > lagMaxMs
  const near = ({ fetchedAt, isNear }: Follower): boolean => isNear && at - fetchedAt <= nearMs
  const isSame = (one: Follower): boolean => lags(one) === one.isLagging && near(one) === one.isNear
  if (state.followers.every(isSame)) return state
  const followers = state.followers.map((one) => (isSame(one) ? one : { ...one, isLagging: lags(one), isNear: near(one) }))
  return withHighWatermark(withProposal({ ...state, followers }))
}

/** Whether the newest offset is known: until then ListOffsets "latest" is OFFSET_NOT_AVAILABLE (KIP-207). Exported for tests and brokers. */
export const isLatestKnown = ({ epochStart, highWatermark }: Lead): boolean => highWatermark >= epochStart

/** Whether acks=all may be appended: enough replicas are in sync. Otherwise NOT_ENOUGH_REPLICAS. Exported for tests and brokers. */
export const hasEnoughInSync = ({ isr, minIsr }: Lead): boolean => isr.length >= minIsr
