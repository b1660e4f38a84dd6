import { change } from "../../domain/cluster/election.ts"
import { answered, nextFetch } from "../../domain/partition/follow.ts"
import { appended, fetched, image, type Lead, lead, proposalAnswered, started, synced, tick } from "../../domain/partition/lead.ts"
import { alterFault } from "./journal.ts"
import { type Rules, realRules } from "./rules.ts"
import type { Bounds } from "./state.ts"

/** A rule that is switched off, and bounds within which that breaks an invariant. */
interface Mutant {
  readonly name: string
  readonly rules: Rules
  readonly bounds: Bounds
  /** Whether the search for it takes longer than a test may. */
  readonly isLong: boolean
  /** The steps before a directed search; empty: it begins with the first state. */
  readonly start: ReadonlyArray<string>
}

/** The smallest bounds (exported for the searches of the real rules): no power cuts; AlterPartition is one step, and so is a fetch with its response. */
export const smallBounds: Bounds = {
  replicas: 3,
  records: 1,
  epochs: 2,
  minIsr: 1,
  alters: 0,
  powerCuts: false,
  powerCutsMax: Number.POSITIVE_INFINITY,
  responses: false,
  lateResponses: false,
  readsOldVersions: false,
  losesDisks: false,
  fencesFollowers: false,
  raisesMinIsr: false,
  deletesRecords: false
}
const mutant = (name: string, rules: Partial<Rules>, bounds: Partial<Bounds> = {}, start: ReadonlyArray<string> = [], isLong = false): Mutant => ({
  name,
  rules: { ...realRules, ...rules },
  bounds: { ...smallBounds, ...bounds },
  isLong,
  start
})

/** The steps of a leader, each followed by `after`. */
const leadSteps = (after: (state: Lead) => Lead): Partial<Rules> => ({
  lead: (...args) => after(lead(...args)),
  appended: (...args) => after(appended(...args)),
  synced: (...args) => after(synced(...args)),
  started: (...args) => after(started(...args)),
  fetched: (...args) => after(fetched(...args)),
  image: (...args) => after(image(...args)),
  tick: (...args) => after(tick(...args)),
  proposalAnswered: (...args) => after(proposalAnswered(...args))
})

const endsOf = (state: Lead, ids: ReadonlyArray<number>): number =>
  Math.min(state.syncedEnd, ...state.followers.filter(({ id }) => ids.includes(id)).map(({ end }) => Math.max(0, end)))
const raised = (state: Lead, highWatermark: number): Lead => (highWatermark > state.highWatermark ? { ...state, highWatermark } : state)

const withoutEpoch = (request: Parameters<typeof realRules.fetchRefusal>[1], state: Lead) => ({ ...request, leaderEpoch: state.epoch })

/** Kafka's low watermark. */
const liveStart = ({ followers, logStart }: Lead): number => Math.min(logStart, ...followers.filter(({ mayJoin }) => mayJoin).map((one) => one.logStart))

/** A leader that knows another start of its log, or another low watermark, when a replica may join. */
const joinedWithStarts = (known: Partial<Pick<Lead, "firstLogStart" | "lowWatermark">>): Partial<Rules> => {
  const kept = (state: Lead, next: (known: Lead) => Lead): Lead => {
    const after = next({ ...state, ...known })
    return { ...after, firstLogStart: state.firstLogStart, lowWatermark: Math.max(state.lowWatermark, after.lowWatermark) }
  }
  return {
    fetched: (state, ...args) => kept(state, (one) => fetched(one, ...args)),
    image: (state, ...args) => kept(state, (one) => image(one, ...args)),
    tick: (state, ...args) => kept(state, (one) => tick(one, ...args))
  }
}

/** The rules of replication (`replication.md` names them after Kip320), each switched off by itself. */
export const mutants: ReadonlyArray<Mutant> = [
  mutant("a log is not aligned with the leader's", { divergence: () => undefined }, { records: 2 }),
  mutant("a follower cuts its log to the high watermark", { cutOnFollow: (end, highWatermark) => Math.min(end, highWatermark) }),
  mutant(
    "a fetch under another epoch is served",
    { fetchRefusal: (state, request) => realRules.fetchRefusal(state, withoutEpoch(request, state)) },
    { epochs: 3, readsOldVersions: true },
    // Replica 2 is slow to learn that replica 1 led epoch 1, and that replica 0 leads again.
    [
      "image 0",
      "image 1",
      "image 2",
      "fence 0",
      "image 1",
      "unfence 0",
      "image 0",
      "image 1",
      "fetch 0 at 0",
      "AlterPartition of 1: 0,1,2, its answer is lost",
      "fence 1",
      "image 0"
    ]
  ),
  mutant(
    "a response to an earlier position is used",
    { answered: (state, _, response, starts) => answered({ ...state, isWaiting: true }, currentOf(state), response, starts) },
    { replicas: 2, records: 2, lateResponses: true }
  ),
  mutant(
    "a response to an earlier fetch from the same position is used",
    { answered: (state, sent, response, starts) => answered({ ...state, isWaiting: true }, { ...sent, fetch: state.fetch }, response, starts) },
    { replicas: 2, records: 2, lateResponses: true }
  ),
  mutant(
    "a response under an earlier leader epoch is used",
    { answered: (state, sent, response, starts) => answered(state, { ...sent, leaderEpoch: state.leaderEpoch }, response, starts) },
    { replicas: 2, records: 2, epochs: 4, responses: true, lateResponses: true },
    [],
    true
  ),
  mutant(
    "the high watermark counts the committed set alone",
    leadSteps((state) => (state.isr.length < state.minIsr ? state : raised(state, endsOf(state, state.isr))))
  ),
  mutant("the high watermark counts fetches of an earlier epoch", {
    lead: (now, start) => {
      const state = lead(now, start)
      return raised({ ...state, followers: state.followers.map((one) => ({ ...one, end: start.end })) }, now.isr.length < now.minIsr ? 0 : start.end)
    }
  }),
  mutant(
    "a replica joins without the start of the epoch",
    leadSteps((state) => joined(state, false)),
    { minIsr: 2 }
  ),
  mutant(
    "a replica joins below the high watermark",
    leadSteps((state) => joined(state, true))
  ),
  mutant(
    "the high watermark rises below min ISR (ELR without the strict rule)",
    leadSteps((state) => raised(state, endsOf(state, state.maximal))),
    { minIsr: 2 }
  ),
  mutant(
    "the high watermark counts records that are not synced",
    { nextFetch: (state) => nextFetch({ ...state, syncedEnd: state.end }), appended: (state, end, at) => synced(appended(state, end, at), end) },
    { powerCuts: true }
  ),
  mutant("AlterPartition's answer is believed before the event", { believesAnswers: true }, { replicas: 2, raisesMinIsr: true }),
  mutant(
    "the in-sync set changes without the partition epoch",
    {
      alterFault: (version, request) =>
        alterFault(version, {
          ...request,
          proposal: { ...request.proposal, leaderEpoch: version.partition.leaderEpoch, partitionEpoch: version.partition.partitionEpoch }
        })
    },
    { replicas: 2, alters: 2 }
  ),
  mutant(
    "a replica joins by the fetch of an earlier process",
    {
      alterFault: (version, request) =>
        alterFault(version, {
          ...request,
          proposal: { ...request.proposal, brokerEpochs: request.proposal.isr.map((id) => version.brokers[id]?.epoch ?? -1) }
        }),
      image: (state, now, at) => {
        const after = image(state, now, at)
        return { ...after, followers: after.followers.map((one) => ({ ...one, end: state.followers.find(({ id }) => id === one.id)?.end ?? one.end })) }
      }
    },
    { replicas: 2, powerCuts: true, losesDisks: true }
  ),
  mutant(
    "an ineligible replica is forgotten while a copy is under way",
    {
      proposalAnswered: (state, proposal, outcome) =>
        proposalAnswered(state.proposal === undefined ? state : { ...state, proposal: { ...state.proposal, sent: 1 } }, proposal, outcome)
    },
    { replicas: 2, alters: 2, fencesFollowers: true }
  ),
  mutant("a restarted process leads by an old image", { waitsForRegistration: false }, { replicas: 2, powerCuts: true, records: 2 }),
  mutant(
    "DeleteRecords does not wait for the ELR",
    leadSteps((state) => ({ ...state, lowWatermark: Math.max(state.lowWatermark, liveStart(state)) })),
    { replicas: 2, minIsr: 2, fencesFollowers: true, deletesRecords: true }
  ),
  mutant("a replica joins with records that are deleted", joinedWithStarts({ firstLogStart: 0, lowWatermark: 0 }), {
    replicas: 2,
    fencesFollowers: true,
    deletesRecords: true
  }),
  mutant(
    "a replica joins with records that were deleted under an earlier leader",
    joinedWithStarts({ firstLogStart: 0 }),
    { fencesFollowers: true, deletesRecords: true },
    // Replica 2 was fenced when replica 0 was asked to delete the record.
    ["image 1", "fence 2", "image 0", "append 0", "fetch 1 at 0", "fetch 1 at 1", "delete 0", "fetch 1 at 1 with its start", "fetch 1 at 1", "fence 0"]
  ),
  mutant("the ELR has replicas that left a set that was large enough", {
    change: (partition, wanted, lifeOf, minIsr, kind) => {
      const after = change(partition, wanted, lifeOf, minIsr, kind)
      const left = [...partition.isr, ...partition.elr].filter((id) => !after.isr.includes(id))
      return after === partition ? after : { ...after, elr: after.replicas.filter((id) => left.includes(id)) }
    }
  })
]

const currentOf = (state: Parameters<typeof nextFetch>[0]) => ({
  leaderEpoch: state.leaderEpoch,
  offset: state.end,
  lastFetchedEpoch: state.lastEpoch,
  fetch: state.fetch
})

/** Proposes whatever may join, without one of the two conditions. */
const joined = (state: Lead, isBelow: boolean): Lead => {
  if (state.proposal !== undefined) return state
  const may = state.followers.filter(({ end, id, isLagging, mayJoin }) => {
    const has = isBelow ? end >= state.epochStart || end >= 0 : end >= state.highWatermark
    return mayJoin && !isLagging && !state.isr.includes(id) && end >= 0 && has
  })
  if (may.length === 0) return state
  const isr = [...state.isr, ...may.map(({ id }) => id)]
  const brokerEpochs = [
    ...state.isr.map((id) => state.followers.find((one) => one.id === id)?.brokerEpoch ?? state.brokerEpoch),
    ...may.map((one) => one.brokerEpoch)
  ]
  return { ...state, maximal: isr, proposal: { isr, brokerEpochs, leaderEpoch: state.epoch, partitionEpoch: state.partitionEpoch, sent: 0 } }
}
