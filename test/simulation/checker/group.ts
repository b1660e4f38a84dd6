import { Either } from "effect"
import { decodeAssignment, decodeSubscription } from "../../../src/protocol/message/consumer-protocol.ts"
import { finalJournals, type History, never, type OffsetQuestion, type Operation, type Position, partitionName, type TopicPartition } from "../history.ts"
import { Findings, type Violation } from "./violation.ts"

/** Streams of groups are named so, with a number behind it. */
const groupStreams = "__group_metadata"

interface Member {
  /** Assignor by name, with what the member says under it (base64). */
  readonly protocols: ReadonlyArray<{ readonly name: string; readonly metadata: string }>
}
/** A group as its journal tells it, kept apart from the aggregate that decided it. */
interface GroupModel {
  generation: number
  protocolName: string | null
  readonly members: Map<string, Member>
}

interface CommittedInJournal extends TopicPartition {
  readonly group: string
  readonly memberId: string
  readonly generation: number
  /** -1: the offset was removed. */
  readonly offset: number
}

/** The fields of a group's JSON event that the checker reads. */
interface GroupEvent {
  readonly _tag: string
  readonly groupId: string
  readonly memberId?: string
  readonly replacedId?: string
  readonly generation?: number
  readonly protocolName?: string | null
  readonly protocols?: Member["protocols"] | null
  readonly assignments?: ReadonlyArray<{ readonly memberId: string; readonly assignment: string }>
  readonly offsets?: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: number }>
  readonly removed?: ReadonlyArray<{ readonly topic: string; readonly partitions: ReadonlyArray<number> }>
}

const bytesOf = (base64: string): Uint8Array => Uint8Array.fromBase64(base64)

const apply = (group: GroupModel, event: GroupEvent): void => {
  const memberId = event.memberId ?? ""
  switch (event._tag) {
    case "MemberJoined":
      group.members.set(memberId, { protocols: event.protocols ?? [] })
      break
    case "MemberRejoined":
      if (event.protocols) group.members.set(memberId, { protocols: event.protocols })
      break
    case "MemberReplaced": {
      const before = group.members.get(event.replacedId ?? "")
      group.members.delete(event.replacedId ?? "")
      group.members.set(memberId, { protocols: event.protocols ?? before?.protocols ?? [] })
      break
    }
    case "MemberRemoved":
      group.members.delete(memberId)
      break
    case "GenerationStarted":
      group.generation = event.generation ?? 0
      group.protocolName = event.protocolName ?? null
      break
    case "GroupEmptied":
      group.generation = event.generation ?? 0
      group.members.clear()
      break
    case "GroupDeleted":
      group.generation = 0
      group.members.clear()
      break
  }
}

/** Calls `visit` with each event of every group, in journal order, and the group as it was before it. */
const walkGroups = (history: History, visit: (event: GroupEvent, group: GroupModel) => void): void => {
  for (const { events, stream } of finalJournals(history)) {
    if (!stream.startsWith(groupStreams)) continue
    const groups = new Map<string, GroupModel>()
    for (const { json } of events) {
      const event = JSON.parse(json) as GroupEvent
      const group = groups.get(event.groupId) ?? { generation: 0, protocolName: null, members: new Map() }
      groups.set(event.groupId, group)
      visit(event, group)
      apply(group, event)
    }
  }
}

/** Everything that the members of a group have subscribed to, partition by partition. */
const subscribed = ({ members, protocolName }: GroupModel, partitions: History["partitions"]): ReadonlySet<string> => {
  const all = new Set<string>()
  for (const { protocols } of members.values()) {
    const metadata = protocols.find(({ name }) => name === protocolName)?.metadata
    const subscription = metadata === undefined ? undefined : Either.getOrUndefined(decodeSubscription(bytesOf(metadata)))
    for (const topic of subscription?.topics ?? [])
      for (let partition = 0; partition < (partitions.get(topic) ?? 0); partition++) all.add(partitionName({ topic, partition }))
  }
  return all
}

/** G1: in each generation a partition belongs to one member at most, every subscribed partition belongs to a member, and no partition's records come to two members. */
export const oneOwner = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("G1")
  walkGroups(history, (event, group) => {
    if (event._tag !== "AssignmentsSet") return
    const name = `${event.groupId}, generation ${event.generation}`
    const owners = new Map<string, string>()
    for (const { assignment, memberId } of event.assignments ?? []) {
      if (!group.members.has(memberId)) findings.add(`${name}: ${memberId} has an assignment, and is no member`)
      for (const { partitions, topic } of Either.getOrUndefined(decodeAssignment(bytesOf(assignment)))?.assignedPartitions ?? [])
        for (const partition of partitions) {
          const key = partitionName({ topic, partition })
          const other = owners.get(key)
          if (other !== undefined) findings.add(`${name}: ${key} belongs to ${other} and to ${memberId}`)
          owners.set(key, memberId)
        }
    }
    for (const key of subscribed(group, history.partitions)) if (!owners.has(key)) findings.add(`${name}: ${key} belongs to no member`)
  })
  const readers = new Map<string, string>()
  for (const polled of history.polls) {
    if (polled.generation < 0) continue
    const key = `${polled.group}, generation ${polled.generation}: ${partitionName(polled)}`
    const other = readers.get(key)
    if (other !== undefined && other !== polled.memberId) findings.add(`${key} was read by ${other} and by ${polled.memberId}`)
    readers.set(key, polled.memberId)
  }
  return findings.list
}

/** G3: a commit comes from a member of the current generation, or with generation -1 to a group without members; and what was answered ok was journalled as it was asked. */
export const currentCommits = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("G3")
  walkGroups(history, ({ _tag, generation = -1, groupId, memberId = "" }, group) => {
    if (_tag !== "OffsetsCommitted") return
    const what = `${groupId}: a commit of "${memberId}" in generation ${generation}`
    if (generation < 0) {
      if (group.members.size > 0) findings.add(`${what} was taken, although the group has ${group.members.size} members`)
    } else if (generation !== group.generation) findings.add(`${what} was taken, although the group is at ${group.generation}`)
    else if (!group.members.has(memberId)) findings.add(`${what} was taken, although it is no member`)
  })
  const journalled = new Set(commitsInJournal(history).map((commit) => commitName(commit)))
  for (const { input, outcome, process } of history.commits)
    if (outcome._tag === "ok" && !journalled.has(commitName(input)))
      findings.add(`${process} was told that ${commitName(input)} is committed, and the journal has no such commit`)
  return findings.list
}

const commitName = ({ generation, group, memberId, offset, partition, topic }: CommittedInJournal): string =>
  `${group}: ${topic}-${partition}@${offset} by "${memberId}" in generation ${generation}`

/** Every change of a committed offset, in journal order within a group. */
const commitsInJournal = (history: History): ReadonlyArray<CommittedInJournal> => {
  const found: Array<CommittedInJournal> = []
  walkGroups(history, (event) => {
    const from = { group: event.groupId, memberId: event.memberId ?? "", generation: event.generation ?? -1 }
    if (event._tag === "OffsetsCommitted") for (const { offset, partition, topic } of event.offsets ?? []) found.push({ ...from, topic, partition, offset })
    if (event._tag === "OffsetsRemoved")
      for (const { partitions, topic } of event.removed ?? []) for (const partition of partitions) found.push({ ...from, topic, partition, offset: -1 })
  })
  return found
}

/** The values that one group's offset of one partition had, in journal order, each with the span in which its commit was asked and answered, where we know it. */
interface Register {
  readonly offset: number
  invoked: Position
  completed: Position
}

const registers = (history: History): ReadonlyMap<string, ReadonlyArray<Register>> => {
  const all = new Map<string, Array<Register & { readonly name: string }>>()
  for (const commit of commitsInJournal(history)) {
    const key = `${commit.group} ${partitionName(commit)}`
    const list = all.get(key) ?? [{ name: "", offset: -1, invoked: -1, completed: -1 }]
    // Who committed without us watching may have done it at any time.
    list.push({ name: commitName(commit), offset: commit.offset, invoked: -1, completed: never })
    all.set(key, list)
  }
  for (const { completed, input, invoked, outcome } of history.commits) {
    if (outcome._tag !== "ok") continue
    // The first that fits: if the same was committed twice, the bound is looser than it could be, and never wrong.
    const found = all.get(`${input.group} ${partitionName(input)}`)?.find(({ name }) => name === commitName(input))
    if (found === undefined || found.completed !== never) continue
    found.invoked = invoked
    found.completed = completed
  }
  return all
}

/**
 * G4: a committed offset that was read is the last one in journal order: none that a later commit had replaced before the question, and none older than an earlier reader
 * saw. A node that may not be the coordinator any more may give an older one, and never one that was not committed.
 */
export const lastCommit = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("G4")
  const values = registers(history)
  const reads = history.offsetReads.filter(({ outcome }) => outcome._tag === "ok").sort((one, other) => one.completed - other.completed)
  const seen = new Map<string, Array<{ readonly completed: Position; readonly place: number }>>()
  for (const read of reads) {
    const key = `${read.input.group} ${partitionName(read.input)}`
    const list = values.get(key) ?? [{ offset: -1, invoked: -1, completed: -1 }]
    const before = seen.get(key) ?? []
    const fits = placeOf(read, list, before)
    if (typeof fits === "string") findings.add(`${read.process} read ${key}: ${fits}`)
    else if (read.input.mayBeOld !== true) before.push({ completed: read.completed, place: fits })
    seen.set(key, before)
  }
  return findings.list
}

/** The earliest place in the order of commits that explains what was read; a sentence where none does. */
const placeOf = (
  { completed, input, invoked, outcome }: Operation<OffsetQuestion, number>,
  list: ReadonlyArray<Register>,
  before: ReadonlyArray<{ readonly completed: Position; readonly place: number }>
): number | string => {
  const value = outcome._tag === "ok" ? outcome.value : -1
  let least = 0
  if (input.mayBeOld !== true) for (const [place, commit] of list.entries()) if (commit.completed < invoked) least = Math.max(least, place)
  if (input.mayBeOld !== true) for (const read of before) if (read.completed < invoked) least = Math.max(least, read.place)
  const place = list.findIndex((commit, at) => at >= least && commit.offset === value && commit.invoked < completed)
  return place >= 0 ? place : `it was told ${value}, and ${list[least]?.offset} was committed before it asked`
}

export const checkGroups = (history: History): ReadonlyArray<Violation> => [...oneOwner(history), ...currentCommits(history), ...lastCommit(history)]
