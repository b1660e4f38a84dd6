import { Command, type InSyncSetRequest } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { InSyncSetsChanged, LeadersElected } from "../../../domain/cluster/replication/event.ts"
import { brokerOf, type Cluster, topicById } from "../../../domain/cluster/state.ts"
import { nextFetch } from "../../../domain/partition/follow.ts"
import { acknowledgedEnd, appended, synced } from "../../../domain/partition/lead.ts"
import { mutants as modelMutants } from "../../../scripts/model/mutants.ts"
import { realRules as modelRules } from "../../../scripts/model/rules.ts"
import { type Rules, realRules, servesUnknownRegistrations } from "./rules.ts"

/** A rule that is switched off. */
interface CoreMutant {
  readonly name: string
  readonly rules: Rules
  /** A seed that found it: the tests begin with it. */
  readonly likelySeed: number
}

/** What a mutant of the model replaces, but for what the cluster's leader does: `decide` calls that by itself here. */
const ofModel = (name: string): Partial<Rules> => {
  const rules = modelMutants.find((mutant) => mutant.name === name)?.rules
  if (rules === undefined) throw new Error(`The model has no mutant '${name}'.`)
  const changed = Object.entries(rules).filter(([rule, value]) => value !== modelRules[rule as keyof typeof modelRules])
  return Object.fromEntries(changed.filter(([rule]) => rule !== "change" && rule !== "alterFault"))
}

const altered =
  (change: (cluster: Cluster, request: InSyncSetRequest) => InSyncSetRequest) =>
  (cluster: Cluster, command: Command): Command =>
    command._tag === "AlterInSyncSets"
      ? Command.AlterInSyncSets({ ...command, partitions: command.partitions.map((request) => change(cluster, request)) })
      : command

/** The epochs of a request as the cluster has them now. */
const withPresentEpochs = (cluster: Cluster, request: InSyncSetRequest): InSyncSetRequest => {
  const partition = topicById(cluster, request.topicId)?.partitions.at(request.partition)
  return partition === undefined ? request : { ...request, leaderEpoch: partition.leaderEpoch, partitionEpoch: partition.partitionEpoch }
}
const withPresentBrokers = (cluster: Cluster, request: InSyncSetRequest): InSyncSetRequest => ({
  ...request,
  isr: request.isr.map(({ brokerId }) => ({ brokerId, brokerEpoch: brokerOf(cluster, brokerId)?.epoch ?? -1 }))
})

/** Every replica that leaves a set is eligible, also where the set is large enough without it. */
const withLargeElrs = (cluster: Cluster, events: ReadonlyArray<Event>): ReadonlyArray<Event> =>
  events.map((event) => {
    if (event._tag !== "LeadersElected" && event._tag !== "InSyncSetsChanged") return event
    const elrOf = (index: number, isr: ReadonlyArray<number>) => {
      const was = topicById(cluster, event.topicId)?.partitions.at(index)
      return was === undefined ? [] : was.replicas.filter((id) => !isr.includes(id) && (was.isr.includes(id) || was.elr.includes(id)))
    }
    return event._tag === "LeadersElected"
      ? new LeadersElected({ ...event, rows: event.rows.map(([index, leader, epoch, isr]) => [index, leader, epoch, isr, elrOf(index, isr)] as const) })
      : new InSyncSetsChanged({ ...event, rows: event.rows.map(([index, isr]) => [index, isr, elrOf(index, isr)] as const) })
  })

/** The leader epoch stays when a replica that is not the leader is disowned. */
const withoutHigherEpochs = (cluster: Cluster, events: ReadonlyArray<Event>): ReadonlyArray<Event> =>
  events.map((event) => {
    if (event._tag !== "LeadersElected" || event.reason !== "disowned") return event
    const partitions = topicById(cluster, event.topicId)?.partitions
    if (event.rows.some(([index, leader]) => partitions?.at(index)?.leader !== leader)) return event
    return new InSyncSetsChanged({
      topicId: event.topicId,
      reason: "disowned",
      by: null,
      rows: event.rows.map(([index, , , isr, elr]) => [index, isr, elr] as const)
    })
  })

const mutant = (name: string, rules: Partial<Rules>): CoreMutant => ({ name, rules: { ...realRules, ...rules }, likelySeed: likelySeeds[name] ?? 1 })
const modelled = (name: string): CoreMutant => mutant(name, ofModel(name))

/** The first seed that finds each mutant, where it is not one of the first ten. */
const likelySeeds: Readonly<Record<string, number>> = {
  "a replica joins without the start of the epoch": 11,
  "AlterPartition's answer is believed before the event": 59,
  "the in-sync set changes without the partition epoch": 653,
  "a replica joins by the fetch of an earlier process": 110,
  "acks=all is answered by the high watermark that a leader without followers had": 32,
  "epochs stay behind a cut": 345,
  "an empty log is opened in the place of a missing one": 15,
  "a note of made logs outlives its disk": 15,
  "a damaged replica joins by what it fetched before": 208,
  "the cluster's leader answers past its lease": 460
}

/**
 * The rules of `replication.md`, section 11, that concern partitions, and those that were found since; each switched off by
 * itself. "a fetch under another epoch is served" and "an ineligible replica is forgotten while a copy is under way" are found
 * by the model alone: 1,500 seeds of this simulation did not.
 */
export const coreMutants: ReadonlyArray<CoreMutant> = [
  modelled("a log is not aligned with the leader's"),
  modelled("a follower cuts its log to the high watermark"),
  modelled("a response to an earlier position is used"),
  modelled("the high watermark counts the committed set alone"),
  modelled("the high watermark counts fetches of an earlier epoch"),
  modelled("a replica joins without the start of the epoch"),
  modelled("a replica joins below the high watermark"),
  modelled("the high watermark rises below min ISR (ELR without the strict rule)"),
  mutant("the leader counts its own records before they are synced", { appended: (state, end, at) => synced(appended(state, end, at), end) }),
  mutant("a follower names records that are not synced", { nextFetch: (state) => nextFetch({ ...state, syncedEnd: state.end }) }),
  modelled("AlterPartition's answer is believed before the event"),
  mutant("the in-sync set changes without the partition epoch", { commanded: altered(withPresentEpochs), fetchRefusal: servesUnknownRegistrations }),
  mutant("a replica joins by the fetch of an earlier process", {
    ...ofModel("a replica joins by the fetch of an earlier process"),
    commanded: altered(withPresentBrokers),
    fetchRefusal: servesUnknownRegistrations
  }),
  modelled("a restarted process leads by an old image"),
  mutant("the ELR has replicas that left a set that was large enough", { decided: withLargeElrs }),
  mutant("the ELR stays when min ISR falls", {
    decided: (_, events) => events.filter((event) => event._tag !== "InSyncSetsChanged" || event.reason !== "min ISR")
  }),
  mutant("waiting producers are answered when the leadership ends", { endsWaiters: false }),
  mutant("a duplicate is acknowledged above the high watermark", { waitsForDuplicates: false }),
  mutant("acks=all is answered by the high watermark that a leader without followers had", {
    acknowledgedEnd: (state) => (state.followers.length > 0 ? state.highWatermark : acknowledgedEnd(state))
  }),
  mutant("epochs stay behind a cut", { cutsEpochs: false }),
  mutant("the synced end stays behind a cut", { lowersSyncedEnd: false }),
  mutant("the producers of a log are not cut with it", { cutsProducers: false }),
  mutant("an empty log is opened in the place of a missing one", { disownsMissingLogs: false }),
  mutant("a note of made logs outlives its disk", { losesNotes: false }),
  mutant("a damaged replica joins by what it fetched before", { decided: withoutHigherEpochs, waitsForHigherEpoch: false }),
  mutant("consumers read what is not committed", { readsCommitted: false }),
  mutant("the journal takes the events of a deposed leader", { fencesJournal: false, checksLease: false }),
  mutant("the cluster's leader answers past its lease", { checksLease: false })
]
