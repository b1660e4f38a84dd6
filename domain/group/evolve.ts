import { HashMap, Match, Option } from "effect"
import { type Member, noBytes, type Protocol } from "./classic/member.ts"
import type {
  AssignmentsSet,
  Event,
  GenerationStarted,
  GroupEmptied,
  MemberJoined,
  MemberRejoined,
  MemberReplaced,
  MemberSynced,
  RebalanceStarted
} from "./event.ts"
import type { MemberId } from "./id.ts"
import { type ChangedOffsets, withCommitted, withoutPartitions } from "./offset/committed.ts"
import { memberBytes, pendingBytes } from "./size.ts"
import { type Group, initial, member, memberCount, type Pending, rebalanceTimeoutMs } from "./state.ts"

/** Adds `by` to the number of members that support each of the assignors. */
const counted = (supported: Group["supported"], protocols: ReadonlyArray<Protocol>, by: 1 | -1): Group["supported"] =>
  protocols.reduce((counts, { name }) => {
    const count = Option.getOrElse(HashMap.get(counts, name), () => 0) + by
    return count <= 0 ? HashMap.remove(counts, name) : HashMap.set(counts, name, count)
  }, supported)

const withoutPending = (group: Group, id: MemberId): Group =>
  HashMap.has(group.pending, id) ? { ...group, pending: HashMap.remove(group.pending, id), memberBytes: group.memberBytes - pendingBytes(id) } : group

const withPending = (from: Group, id: MemberId, pending: Pending): Group => {
  const group = withoutPending(from, id)
  return { ...group, pending: HashMap.set(group.pending, id, pending), memberBytes: group.memberBytes + pendingBytes(id) }
}

const withoutMember = (group: Group, id: MemberId): Group => {
  const gone = member(group, id)
  if (gone === undefined) return withoutPending(group, id)
  return {
    ...group,
    members: HashMap.remove(group.members, id),
    instances: gone.instanceId === null ? group.instances : HashMap.remove(group.instances, gone.instanceId),
    leader: group.leader === id ? null : group.leader,
    joinedCount: group.joinedCount - (gone.joined ? 1 : 0),
    unsyncedCount: group.unsyncedCount - (gone.synced ? 0 : 1),
    supported: counted(group.supported, gone.protocols, -1),
    memberBytes: group.memberBytes - memberBytes(gone)
  }
}

const withMember = (from: Group, next: Member): Group => {
  const leader = from.leader
  const group = withoutMember(from, next.memberId)
  return {
    ...group,
    members: HashMap.set(group.members, next.memberId, next),
    instances: next.instanceId === null ? group.instances : HashMap.set(group.instances, next.instanceId, next.memberId),
    leader: leader ?? next.memberId,
    joinedCount: group.joinedCount + (next.joined ? 1 : 0),
    unsyncedCount: group.unsyncedCount + (next.synced ? 0 : 1),
    supported: counted(group.supported, next.protocols, 1),
    memberBytes: group.memberBytes + memberBytes(next)
  }
}

/** A member that wants to be waited for longer lengthens the open round; the first round of a group has its own measure. */
const waitingFor = (group: Group, timeoutMs: number): Group =>
  group.phase !== "PreparingRebalance" || group.firstRound !== null || group.wait === null || group.wait.lastsMs >= timeoutMs
    ? group
    : { ...group, wait: { ...group.wait, lastsMs: timeoutMs } }

const bytesOfPending = ({ pending }: Group): number => {
  let bytes = 0
  for (const id of HashMap.keys(pending)) bytes += pendingBytes(id)
  return bytes
}

const everyMember = (group: Group, change: (member: Member) => Member): Group => {
  const members = HashMap.map(group.members, change)
  let joinedCount = 0
  let unsyncedCount = 0
  let bytes = bytesOfPending(group)
  for (const member of HashMap.values(members)) {
    if (member.joined) joinedCount++
    if (!member.synced) unsyncedCount++
    bytes += memberBytes(member)
  }
  return { ...group, members, joinedCount, unsyncedCount, memberBytes: bytes }
}

/** Once everyone has asked for its assignment, nothing is waited for. */
const settled = (group: Group): Group => (group.phase === "Stable" && group.unsyncedCount === 0 && group.wait !== null ? { ...group, wait: null } : group)

const joined = (group: Group, event: MemberJoined): Group => {
  const { memberId, instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = event
  const isFirst = memberCount(group) === 0
  const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs }
  const next = withMember(
    { ...withoutPending(group, memberId), protocolType: isFirst ? protocolType : group.protocolType },
    { memberId, instanceId, clientId, clientHost, ...timeouts, protocols, assignment: noBytes, joined: true, synced: false, isNew: true }
  )
  const firstRound = next.firstRound === null || isFirst ? next.firstRound : { ...next.firstRound, newcomers: true }
  return waitingFor({ ...next, firstRound }, rebalanceTimeoutMs)
}

const rejoined = (group: Group, { memberId, sessionTimeoutMs, rebalanceTimeoutMs, protocols }: MemberRejoined): Group => {
  const old = member(group, memberId)
  if (old === undefined) return group
  const next = withMember(group, { ...old, sessionTimeoutMs, rebalanceTimeoutMs, protocols: protocols ?? old.protocols, joined: true })
  return waitingFor(next, rebalanceTimeoutMs)
}

const replaced = (group: Group, event: MemberReplaced): Group => {
  const { memberId, replacedId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs } = event
  const old = member(group, replacedId)
  if (old === undefined) return group
  const protocols = event.protocols ?? old.protocols
  const next = { ...old, memberId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols, joined: false }
  const leader = group.leader === replacedId ? memberId : group.leader
  return { ...withMember(withoutMember(group, replacedId), next), leader }
}

const roundStarted = (group: Group, { at, first }: RebalanceStarted): Group => ({
  ...everyMember(group, (member) => ({ ...member, joined: false, synced: false })),
  phase: "PreparingRebalance",
  since: at,
  // Those that waited for the assignment are told to join again.
  answeredAt: group.phase === "CompletingRebalance" ? at : group.answeredAt,
  wait: { startedAt: at, lastsMs: first === null ? rebalanceTimeoutMs(group) : first.delayMs },
  firstRound: first === null ? null : { remainingMs: first.remainingMs, newcomers: false }
})

const generationStarted = (group: Group, { at, generation, protocolName, leader }: GenerationStarted): Group => ({
  ...everyMember(group, (member) => ({ ...member, joined: false, synced: false, isNew: false, assignment: noBytes })),
  phase: "CompletingRebalance",
  since: at,
  answeredAt: at,
  wait: { startedAt: at, lastsMs: rebalanceTimeoutMs(group) },
  firstRound: null,
  generation,
  protocolName,
  leader
})

const emptied = (group: Group, { at, generation }: GroupEmptied): Group => ({
  ...initial,
  groupId: group.groupId,
  protocolType: group.protocolType,
  pending: group.pending,
  offsets: group.offsets,
  memberBytes: bytesOfPending(group),
  offsetBytes: group.offsetBytes,
  phase: "Empty",
  since: at,
  generation
})

const synced = (group: Group, { memberId }: MemberSynced): Group => {
  const old = member(group, memberId)
  return old === undefined ? group : settled(withMember(group, { ...old, synced: true }))
}

const assigned = (group: Group, { at, assignments }: AssignmentsSet): Group => {
  const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
  const next = everyMember(group, (member) => ({
    ...member,
    synced: member.synced || member.memberId === group.leader,
    assignment: given.get(member.memberId) ?? noBytes
  }))
  return settled({ ...next, phase: "Stable", since: at, answeredAt: at })
}

const withOffsets = (group: Group, { more, offsets }: ChangedOffsets): Group => ({ ...group, offsets, offsetBytes: group.offsetBytes + more })

/** The group after `event`. Total: an event about somebody who is not there changes nothing. */
export const evolve = (group: Group, event: Event): Group =>
  Match.valueTags(event, {
    GroupCreated: ({ groupId, at }): Group => ({ ...initial, groupId, phase: "Empty", since: at }),
    MemberReserved: ({ memberId, at, sessionTimeoutMs }) => withPending(group, memberId, { reservedAt: at, sessionTimeoutMs }),
    MemberJoined: (event) => joined(group, event),
    MemberRejoined: (event) => rejoined(group, event),
    MemberReplaced: (event) => replaced(group, event),
    MemberRemoved: ({ memberId }): Group => settled(withoutMember(group, memberId)),
    RebalanceStarted: (event) => roundStarted(group, event),
    RebalanceExtended: ({ at, lastsMs, remainingMs }): Group => ({
      ...group,
      wait: { startedAt: at, lastsMs },
      firstRound: group.firstRound === null ? null : { remainingMs, newcomers: false }
    }),
    GenerationStarted: (event) => generationStarted(group, event),
    GroupEmptied: (event) => emptied(group, event),
    MemberSynced: (event) => synced(group, event),
    AssignmentsSet: (event) => assigned(group, event),
    OffsetsCommitted: ({ offsets }) => withOffsets(group, withCommitted(group.offsets, offsets)),
    OffsetsRemoved: ({ removed }) => withOffsets(group, withoutPartitions(group.offsets, removed)),
    GroupDeleted: (): Group => initial
  })
