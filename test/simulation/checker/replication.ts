import { Either, HashMap, Option } from "effect"
import type { Cluster, Partition } from "../../../domain/cluster/state.ts"
import { finalJournals, type History, type JournalEvent } from "../history.ts"
import type { Fold } from "./metadata.ts"
import { Findings, type Violation } from "./violation.ts"

/** A partition that an event changed, before and after it. */
interface Changed {
  readonly event: JournalEvent
  readonly key: string
  readonly before: Partition | undefined
  readonly after: Partition
}

/** The partitions that each event of the cluster's journal changed, in their order. */
const changesOf = (history: History, fold: Fold): ReadonlyArray<Changed> => {
  const journal = finalJournals(history).find(({ stream }) => stream === fold.stream)
  const changes: Array<Changed> = []
  let state = fold.initial as Cluster
  for (const event of journal?.events ?? []) {
    const next = fold.step(state, event.json)
    if (Either.isLeft(next)) break
    const before = state
    state = next.right as Cluster
    if (state.topics === before.topics) continue
    for (const [topicId, topic] of state.topics) {
      const known = Option.getOrUndefined(HashMap.get(before.topics, topicId))
      if (known === topic) continue
      for (let index = 0; index < topic.partitions.length; index++) {
        const after = topic.partitions.at(index)
        const old = known?.partitions.at(index)
        if (after !== undefined && after !== old) changes.push({ event, key: `${topicId}-${index}`, before: old, after })
      }
    }
  }
  return changes
}

const isEqual = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): boolean => one.length === other.length && one.every((id, at) => id === other[at])
const shownAt = ({ event, key }: Changed): string => `event ${event.index}, ${event.type}: ${key}`

/** R1: a leader epoch of a partition has one leader; that epochs do not fall is an assertion of the fold. R2: the leader is in the in-sync set. */
const oneLeader = (changes: ReadonlyArray<Changed>): ReadonlyArray<Violation> => {
  const [epochs, members] = [new Findings("R1"), new Findings("R2")]
  const leaders = new Map<string, number>()
  for (const change of changes) {
    const { after, key } = change
    const { isr, leader, leaderEpoch } = after
    if (leader === -1) continue
    const known = leaders.get(`${key}e${leaderEpoch}`) ?? leader
    if (known !== leader) epochs.add(`${shownAt(change)} has in epoch ${leaderEpoch} the leaders ${known} and ${leader}`)
    leaders.set(`${key}e${leaderEpoch}`, known)
    if (!isr.includes(leader)) members.add(`${shownAt(change)} is led by ${leader}, which is not in the in-sync set ${isr}`)
  }
  return [...epochs.list, ...members.list]
}

/** R7, in the journal: the in-sync set changes with the partition epoch alone, which rises, and its members are replicas. */
const epochOfIsr = (changes: ReadonlyArray<Changed>): ReadonlyArray<Violation> => {
  const findings = new Findings("R7")
  for (const change of changes) {
    const { after, before } = change
    const stranger = after.isr.find((id) => !after.replicas.includes(id))
    if (stranger !== undefined) findings.add(`${shownAt(change)} has ${stranger} in sync, which has no replica (${after.replicas})`)
    // A partition with one replica is as before there were others: its set never changes.
    if (before === undefined || (before.replicas.length === 1 && after.replicas.length === 1)) continue
    if (after.partitionEpoch <= before.partitionEpoch && !isEqual(before.isr, after.isr))
      findings.add(`${shownAt(change)} goes from the in-sync set ${before.isr} to ${after.isr}, and stays at partition epoch ${after.partitionEpoch}`)
  }
  return findings.list
}

/** R8: a new leader was in the in-sync set or in the ELR. In a run no client asks for another election. */
const cleanElections = (changes: ReadonlyArray<Changed>): ReadonlyArray<Violation> => {
  const findings = new Findings("R8")
  for (const change of changes) {
    const { after, before, event } = change
    if (event.type === "LeaderElectedUncleanly") findings.add(`${shownAt(change)}: no client asked for it`)
    if (before === undefined || after.leader === -1 || after.leader === before.leader) continue
    // The proposal with which the last target replica joins also ends the move, in one event.
    const joined = event.type === "ReassignmentEnded" ? after.isr : []
    if (![...before.isr, ...before.elr, ...joined].includes(after.leader))
      findings.add(`${shownAt(change)} elects ${after.leader}; in sync were ${before.isr}, eligible ${before.elr}`)
  }
  return findings.list
}

/** R1 and R7, on the brokers: who believes that it leads is the leader of that epoch by the journal, and its in-sync set is one that the journal had in it. */
const believedIsJournalled = ({ roles }: History, changes: ReadonlyArray<Changed>): ReadonlyArray<Violation> => {
  const [leaders, sets] = [new Findings("R1"), new Findings("R7")]
  const known = new Map<string, { readonly leader: number; readonly isrs: Set<string> }>()
  for (const { after, key } of changes) {
    const epoch = `${key}e${after.leaderEpoch}`
    const one = known.get(epoch) ?? { leader: after.leader, isrs: new Set<string>() }
    known.set(epoch, { leader: one.leader === -1 ? after.leader : one.leader, isrs: one.isrs.add(after.isr.toString()) })
  }
  for (const { broker, isr, leaderEpoch, node, partition, topicId } of roles) {
    const epoch = `${topicId}-${partition}e${leaderEpoch}`
    const journalled = known.get(epoch)
    if (journalled?.leader !== broker) leaders.add(`${node} leads ${epoch}; by the journal its leader is ${journalled?.leader ?? "unknown"}`)
    if (isr !== undefined && journalled !== undefined && !journalled.isrs.has(isr.toString()))
      sets.add(`${node} leads ${epoch} with the in-sync set ${isr}; the journal has ${[...journalled.isrs].join("; ")}`)
  }
  return [...leaders.list, ...sets.list]
}

/** R1, R2, R7, R8: what the journal and the beliefs of brokers show, and what was seen during the run. `fold` is the cluster's. */
export const checkReplication = (history: History, fold: Fold): ReadonlyArray<Violation> => {
  const changes = changesOf(history, fold)
  return [...oneLeader(changes), ...epochOfIsr(changes), ...cleanElections(changes), ...believedIsJournalled(history, changes), ...history.differences]
}
