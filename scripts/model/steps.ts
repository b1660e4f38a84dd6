import type { BrokerLife, WantedPartition } from "../../domain/cluster/election.ts"
import type { Partition } from "../../domain/cluster/state.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import type { EpochStart } from "../../domain/log/epoch-checkpoint.ts"
import { type FetchResponse, fetchSent, wasAppended, wasCut, wasSynced } from "../../domain/partition/follow.ts"
import type { EndOfEpoch, Lead } from "../../domain/partition/lead.ts"
import { imageOf } from "./journal.ts"
import type { Rules } from "./rules.ts"
import { type AlterRequest, type Bounds, idOf, type ModelRecord, type ModelState, type Registration, type Replica, type Version } from "./state.ts"

/** A state that a step leads to, and what happened. */
type Emit = (name: string, next: ModelState) => void

const lagMaxMs = 1

const withReplica = (state: ModelState, index: number, change: Partial<Replica>): ModelState => {
  const replicas = state.replicas.slice()
  replicas[index] = { ...(replicas[index] as Replica), ...change }
  return { ...state, replicas }
}

const startsOf = (log: ReadonlyArray<ModelRecord>): ReadonlyArray<EpochStart> => {
  const starts: Array<EpochStart> = []
  for (const [offset, { epoch }] of log.entries()) if (starts.at(-1)?.epoch !== epoch) starts.push({ epoch, offset })
  return starts
}
/** As `EpochStarts.note`: an epoch without records is replaced by the next one. */
const noted = (starts: ReadonlyArray<EpochStart>, epoch: number, offset: number): ReadonlyArray<EpochStart> => {
  const last = starts.at(-1)
  if (last !== undefined && epoch <= last.epoch) return starts
  return [...starts.filter((start) => start.offset < offset), { epoch, offset }]
}
/** As `EpochStarts.endOf`. */
const endOf =
  (starts: ReadonlyArray<EpochStart>, end: number): EndOfEpoch =>
  (epoch) => {
    const newest = starts.at(-1)?.epoch
    if (newest === undefined || epoch < 0 || epoch > newest) return undefined
    if (epoch === newest) return { epoch, endOffset: end }
    const above = starts.find((start) => start.epoch > epoch)
    const below = starts.findLast((start) => start.epoch <= epoch)
    return above === undefined ? undefined : { epoch: below?.epoch ?? epoch, endOffset: above.offset }
  }
const lastEpoch = (log: ReadonlyArray<ModelRecord>): number => log.at(-1)?.epoch ?? -1

const highWatermarkOf = ({ follow, highWatermark, lead }: Replica): number => lead?.highWatermark ?? follow?.highWatermark ?? highWatermark

/** What a replica becomes when its image reaches a version. The response that it waits for in another role is late. */
const reacting = (rules: Rules, bounds: Bounds, replica: Replica, index: number, version: Version): Partial<Replica> => {
  const { partition } = version
  const late = bounds.lateResponses ? (replica.late ?? replica.response) : undefined
  if (partition.leader === index) {
    if (replica.lead?.epoch === partition.leaderEpoch) return { lead: rules.image(replica.lead, imageOf(version), 0) }
    const start = {
      id: idOf(index),
      end: replica.log.length,
      syncedEnd: replica.synced,
      highWatermark: highWatermarkOf(replica),
      logStart: replica.start,
      at: 0
    }
    const starts = noted(replica.starts, partition.leaderEpoch, replica.log.length)
    return { lead: rules.lead(imageOf(version), start), follow: undefined, starts, response: undefined, late }
  }
  const { follow } = replica
  if (follow !== undefined && follow.leader === partition.leader && follow.leaderEpoch === partition.leaderEpoch) return {}
  const highWatermark = highWatermarkOf(replica)
  const end = rules.cutOnFollow(replica.log.length, highWatermark)
  const log = end < replica.log.length ? replica.log.slice(0, end) : replica.log
  const start = { end, syncedEnd: Math.min(replica.synced, end), lastEpoch: lastEpoch(log), highWatermark }
  const starts = end < replica.log.length ? startsOf(log) : replica.starts
  const next = rules.follow(partition.leader, partition.leaderEpoch, start, follow?.fetch ?? 0)
  return { lead: undefined, follow: next, log, starts, synced: start.syncedEnd, response: undefined, late }
}

const journalled = (bounds: Bounds, state: ModelState, now: Version): ModelState => ({
  ...state,
  now,
  unread: bounds.readsOldVersions ? [...state.unread, state.now] : []
})

/** Versions that all images have read are forgotten. */
const withoutRead = (state: ModelState): ModelState => {
  const { replicas, unread } = state
  let from = unread.length
  for (const { image } of replicas) if (image !== undefined && image !== state.now) from = Math.min(from, unread.indexOf(image) + 1)
  return from === 0 ? state : { ...state, unread: unread.slice(from) }
}

const livesOf =
  (brokers: ReadonlyArray<Registration>): ((id: BrokerId) => BrokerLife) =>
  (id) =>
    brokers[id]?.isFenced === false ? "unfenced" : "fenced"

/**
 * Returns what becomes of the partition, for each order of the replicas in which another of them comes first: an
 * election takes the first that it can. So renaming the replicas changes nothing.
 */
const elections = (rules: Rules, { minIsr, partition }: Version, brokers: ReadonlyArray<Registration>, wanted: WantedPartition): ReadonlyArray<Partition> => {
  const { replicas } = partition
  const all = new Map<string, Partition>()
  for (const first of replicas) {
    const order = [first, ...replicas.filter((id) => id !== first)]
    const after = rules.change({ ...partition, replicas: order }, wanted, livesOf(brokers), minIsr)
    const key = `${after.leader} ${after.isr} ${after.elr}`
    if (!all.has(key)) all.set(key, { ...after, replicas, isr: after.isr.toSorted(), elr: after.elr.toSorted() })
  }
  return [...all.values()]
}

type Registered = "fence" | "unfence" | "restart" | "restart with an empty disk"

const decideVersions = (rules: Rules, now: Version, index: number, kind: Registered): ReadonlyArray<Version> => {
  const { epoch, isFenced } = now.brokers[index] as Registration
  const registered = { isFenced: true, epoch: epoch + 1 }
  const change = { fence: { isFenced: true }, unfence: { isFenced: false }, restart: registered, "restart with an empty disk": registered }[kind]
  const brokers = withBroker(now.brokers, index, change)
  const isr = kind === "unfence" || isFenced ? now.partition.isr : now.partition.isr.filter((id) => id !== index)
  const { elr } = now.partition
  // A broker reports that it lost a log where the cluster counts on it.
  const isDisowned = kind === "restart with an empty disk" && [...now.partition.isr, ...elr].includes(idOf(index))
  const wanted: WantedPartition = isDisowned ? { isr, disowned: idOf(index) } : { isr }
  return elections(rules, now, brokers, wanted).map((partition) => ({ ...now, brokers, partition }))
}

const decided = new WeakMap<Version, Map<string, ReadonlyArray<Version>>>()

/** The versions that may follow one when a broker is fenced, unfenced or registered: the same version has them many times. */
const versionsAfter = (rules: Rules, now: Version, index: number, kind: Registered): ReadonlyArray<Version> => {
  const known = decided.get(now) ?? new Map<string, ReadonlyArray<Version>>()
  if (known.size === 0) decided.set(now, known)
  const key = `${kind} ${index}`
  const found = known.get(key) ?? decideVersions(rules, now, index, kind)
  known.set(key, found)
  return found
}

const withBroker = (brokers: ReadonlyArray<Registration>, index: number, change: Partial<Registration>): ReadonlyArray<Registration> =>
  brokers.map((one, at) => (at === index ? { ...one, ...change } : one))

/** The cluster's leader fences and unfences brokers, and registers those that start. */
const brokerSteps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  const { now } = state
  if (bounds.raisesMinIsr && now.minIsr === 1) emit("min ISR 2", journalled(bounds, state, { ...now, minIsr: 2 }))
  const after = (index: number, kind: Registered): ReadonlyArray<ModelState> =>
    versionsAfter(rules, now, index, kind).flatMap((version) => (version.partition.leaderEpoch < bounds.epochs ? [journalled(bounds, state, version)] : []))
  for (const [index, replica] of state.replicas.entries()) {
    const registration = now.brokers[index] as Registration
    if (!registration.isFenced && (bounds.fencesFollowers || now.partition.leader === index))
      for (const next of after(index, "fence")) emit(`fence ${index}`, next)
    const hasRead = replica.isUp && replica.image?.brokers[index]?.epoch === registration.epoch
    if (registration.isFenced && hasRead) for (const next of after(index, "unfence")) emit(`unfence ${index}`, next)
    if (replica.isUp) continue
    const restart = (kind: Registered, found: Replica): void => {
      for (const next of after(index, kind)) {
        const image = rules.waitsForRegistration ? next.now : now
        const up = { ...found, isUp: true, image }
        emit(`${kind} ${index}`, withReplica(next, index, { ...up, ...reacting(rules, bounds, up, index, image) }))
      }
    }
    restart("restart", replica)
    if (bounds.losesDisks) restart("restart with an empty disk", { ...replica, log: [], synced: 0, start: 0, starts: [] })
  }
}

/**
 * An image jumps to the newest version, and with `readsOldVersions` to any that it has not read. Without, a broker that
 * reads the versions between has done so while they were the newest: it fetched nothing by an older image afterwards.
 */
const imageSteps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  for (const [index, replica] of state.replicas.entries()) {
    const { image, isUp } = replica
    if (!isUp || image === state.now) continue
    // Those before the image come first, and an image that all others are ahead of is in none of them.
    const between = image === undefined ? [] : state.unread.slice(state.unread.indexOf(image) + 1)
    for (const [nth, version] of [...between, state.now].entries()) {
      const name = nth === between.length ? `image ${index}` : `image ${index}, ${between.length - nth} behind`
      emit(name, withoutRead(withReplica(state, index, { image: version, ...reacting(rules, bounds, replica, index, version) })))
    }
  }
}

const logSteps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  for (const [index, replica] of state.replicas.entries()) {
    const { follow, lead, log, synced } = replica
    if (!replica.isUp) continue
    if (lead !== undefined && state.appended < bounds.records) {
      const after = [...log, { epoch: lead.epoch, id: state.appended }]
      const written = rules.appended(lead, after.length, 0)
      const stored = bounds.powerCuts ? { lead: written, log: after } : { lead: rules.synced(written, after.length), log: after, synced: after.length }
      emit(`append ${index}`, { ...withReplica(state, index, stored), appended: state.appended + 1 })
    }
    if (synced < log.length)
      emit(
        `sync ${index}`,
        withReplica(state, index, {
          synced: log.length,
          lead: lead && rules.synced(lead, log.length),
          follow: follow && wasSynced(follow, log.length)
        })
      )
    if (bounds.deletesRecords && lead !== undefined && lead.highWatermark > replica.start)
      emit(`delete ${index}`, withReplica(state, index, { start: lead.highWatermark, lead: rules.started(lead, lead.highWatermark) }))
    if (bounds.powerCuts && state.cuts < bounds.powerCutsMax) {
      const kept = log.slice(0, synced)
      const off = {
        isUp: false,
        log: kept,
        starts: startsOf(kept),
        lead: undefined,
        follow: undefined,
        highWatermark: 0,
        image: undefined,
        response: undefined,
        late: undefined
      }
      const next = withReplica(state, index, off)
      emit(`power cut ${index}`, bounds.powerCutsMax === Number.POSITIVE_INFINITY ? next : { ...next, cuts: state.cuts + 1 })
    }
    if (lead !== undefined) {
      const lagging = rules.tick(lead, 2, lagMaxMs)
      // A tick that proposes nothing makes no difference to what a later one proposes.
      if (lagging.proposal !== lead.proposal) emit(`tick ${index}`, withReplica(state, index, { lead: lagging }))
    }
  }
}

/** The end of a step's name: the follower raises the start of its log to that of its leader's, too. */
const withStart = " with its start"

/** A follower processes the response to its fetch. */
const processed = (rules: Rules, bounds: Bounds, state: ModelState, index: number, slot: "response" | "late", emit: Emit): void => {
  const replica = state.replicas[index] as Replica
  const { [slot]: response, follow, isUp, log, starts, synced } = replica
  const done = { [slot]: undefined }
  if (!isUp || follow === undefined || response === undefined) return
  const { action, state: next } = rules.answered(follow, response.sent, response.answer, starts)
  if (action._tag === "ignore") emit(`ignore ${index}`, withReplica(state, index, { follow: next, ...done }))
  else if (action._tag === "cut") {
    const kept = log.slice(0, action.offset)
    const cutStarts = rules.cutsEpochs ? startsOf(kept) : starts
    const after = wasCut(next, kept.length, lastEpoch(kept))
    const start = kept.length < replica.start ? 0 : replica.start
    emit(`cut ${index} to ${kept.length}`, withReplica(state, index, { follow: after, log: kept, starts: cutStarts, start, synced: kept.length, ...done }))
  } else if (action._tag === "append") {
    const after = response.record === undefined ? log : [...log, response.record]
    const grown = wasAppended(next, after.length, lastEpoch(after))
    const stored = bounds.powerCuts ? grown : wasSynced(grown, after.length)
    const known = response.answer._tag === "records" ? rules.heard(stored, response.answer.highWatermark) : stored
    const isSynced = bounds.powerCuts ? synced : after.length
    const noted = response.record === undefined ? starts : startsOf(after)
    const received = { follow: known, log: after, starts: noted, synced: isSynced, ...done }
    emit(`receive ${index}`, withReplica(state, index, received))
    // The start of the leader's log is followed somewhat later, or by a later response.
    const start = response.answer._tag === "records" ? response.answer.logStart : 0
    if (start > replica.start && start <= after.length) emit(`receive ${index}${withStart}`, withReplica(state, index, { ...received, start }))
  }
}

/** The follower gives up its fetch, whose response is late if it may be. */
const givenUp = (rules: Rules, bounds: Bounds, state: ModelState, index: number): ModelState | undefined => {
  const { follow, late, response, starts } = state.replicas[index] as Replica
  if (follow === undefined || response === undefined) return undefined
  const after = rules.answered(follow, response.sent, { _tag: "failed" }, starts).state
  return withReplica(state, index, { follow: after, response: undefined, late: bounds.lateResponses ? (late ?? response) : undefined })
}

/** One that is never processed is one that was lost. */
const responseSteps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  for (const index of state.replicas.keys()) {
    processed(rules, bounds, state, index, "response", emit)
    if (!bounds.lateResponses) continue
    processed(rules, bounds, state, index, "late", (name, next) => emit(`late: ${name}`, next))
    const after = givenUp(rules, bounds, state, index)
    if (after !== undefined) emit(`fetch of ${index} times out`, after)
  }
}

/** A follower's fetch reaches the broker that it takes for the leader; the response is under way. */
const fetchSteps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  const arrives = (index: number, name: string, next: ModelState): void => {
    if (bounds.responses) return emit(name, next)
    processed(rules, bounds, next, index, "response", (what, after) => emit(what.endsWith(withStart) ? `${name}${withStart}` : name, after))
    const after = givenUp(rules, bounds, next, index)
    if (after !== undefined) emit(`${name}, its response is ${bounds.lateResponses ? "late" : "lost"}`, after)
  }
  for (const [index, replica] of state.replicas.entries()) {
    const { follow } = replica
    if (!replica.isUp || follow === undefined || replica.response !== undefined) continue
    const sent = rules.nextFetch(follow)
    const leader = sent === undefined ? undefined : state.replicas[follow.leader]
    if (sent === undefined || leader?.isUp !== true || leader.lead === undefined) continue
    const request = { ...sent, id: index, brokerEpoch: replica.image?.brokers[index]?.epoch ?? -1, logStart: replica.start }
    if (rules.fetchRefusal(leader.lead, request) !== undefined) continue
    const asked = { follow: fetchSent(follow) }
    const diverging = rules.divergence(leader.lead, endOf(leader.starts, leader.log.length), 0, request)
    if (diverging !== undefined) {
      const answer: FetchResponse = { _tag: "diverging", diverging }
      arrives(
        index,
        `fetch ${index}: diverges at ${diverging.endOffset}`,
        withReplica(state, index, { ...asked, response: { sent, answer, record: undefined } })
      )
      continue
    }
    if (sent.offset > leader.log.length) continue
    const after = rules.fetched(leader.lead, request, 0)
    const record = leader.log[sent.offset]
    const answer: FetchResponse = { _tag: "records", highWatermark: after.highWatermark, logStart: leader.start, count: record === undefined ? 0 : 1 }
    const next = withReplica(withReplica(state, follow.leader, { lead: after }), index, { ...asked, response: { sent, answer, record } })
    arrives(index, `fetch ${index} at ${sent.offset}`, next)
  }
}

/** A leader believes an answer before the event: what the mutant of that name does. */
const believed = (lead: Lead, { proposal }: AlterRequest): Lead => ({ ...lead, isr: proposal.isr, maximal: proposal.isr })

/** The cluster's leader processes a request; its answer arrives, or is lost. */
const decideAlter = (rules: Rules, bounds: Bounds, state: ModelState, request: AlterRequest, emit: Emit): void => {
  const { now } = state
  const fault = rules.alterFault(now, request)
  const deliver = (name: string, next: ModelState): void => {
    emit(`${name}, its answer is lost`, next)
    const { lead } = next.replicas[request.by] as Replica
    if (lead === undefined) return
    const told = rules.proposalAnswered(lead, request.proposal, rules.outcomeOf(fault ?? "NONE"))
    const after = rules.believesAnswers && fault === undefined && lead.epoch === request.proposal.leaderEpoch ? believed(told, request) : told
    if (after !== lead) emit(name, withReplica(next, request.by, { lead: after }))
  }
  if (fault !== undefined) return deliver(`AlterPartition of ${request.by}: ${fault}`, state)
  const { partition } = now
  const isr = partition.replicas.filter((id) => request.proposal.isr.includes(id))
  const same = isr.length === partition.isr.length && isr.every((id) => partition.isr.includes(id))
  const changed = rules.change(partition, { isr }, livesOf(now.brokers), now.minIsr)
  const after = same && changed === partition ? { ...partition, partitionEpoch: partition.partitionEpoch + 1 } : changed
  if (after.leaderEpoch < bounds.epochs) deliver(`AlterPartition of ${request.by}: ${isr}`, journalled(bounds, state, { ...now, partition: after }))
}

const alterSteps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  for (const [index, { image, isUp, lead }] of state.replicas.entries()) {
    const proposal = lead?.proposal
    if (!isUp || lead === undefined || proposal === undefined || proposal.sent > 1) continue
    const request = { by: index, brokerEpoch: image?.brokers[index]?.epoch ?? -1, proposal }
    const asked = withReplica(state, index, { lead: rules.proposalSent(lead) })
    if (bounds.alters === 0) decideAlter(rules, bounds, asked, request, emit)
    else if (state.alters.length < bounds.alters) emit(`propose ${index}: ${proposal.isr}`, { ...asked, alters: [...state.alters, request] })
  }
  for (const [at, request] of state.alters.entries()) {
    const rest = { ...state, alters: state.alters.filter((_, other) => other !== at) }
    emit(`AlterPartition of ${request.by} is lost`, rest)
    decideAlter(rules, bounds, rest, request, emit)
  }
}

/** Emits every state that one step leads to. */
export const steps = (rules: Rules, bounds: Bounds, state: ModelState, emit: Emit): void => {
  logSteps(rules, bounds, state, emit)
  fetchSteps(rules, bounds, state, emit)
  responseSteps(rules, bounds, state, emit)
  alterSteps(rules, bounds, state, emit)
  imageSteps(rules, bounds, state, emit)
  brokerSteps(rules, bounds, state, emit)
}
