import { HashMap, Option } from "effect"
import { bug } from "../../kernel/bug.ts"
import type { ByTag } from "../../kernel/decider.ts"
import type { MemberId } from "../id.ts"
import type { ClassicEvent, GenerationStarted, MemberJoined, MemberRejoined, MemberReplaced } from "./event.ts"
import { type Member, noBytes, type Protocol } from "./member.ts"
import { memberBytes, pendingBytes } from "./size.ts"
import { type ClassicGroup, initialClassic, member, memberCount, type Pending, rebalanceTimeoutMs } from "./state.ts"

/** Adds `by` to the number of members that support each of the assignors. */
const counted = (supported: ClassicGroup["supported"], protocols: ReadonlyArray<Protocol>, by: 1 | -1): ClassicGroup["supported"] =>
  protocols.reduce((counts, { name }) => {
    const count = Option.getOrElse(HashMap.get(counts, name), () => 0) + by
    return count <= 0 ? HashMap.remove(counts, name) : HashMap.set(counts, name, count)
  }, supported)

const withoutPending = (group: ClassicGroup, id: MemberId): ClassicGroup =>
  HashMap.has(group.pending, id) ? { ...group, pending: HashMap.remove(group.pending, id), memberBytes: group.memberBytes - pendingBytes(id) } : group

const withPending = (from: ClassicGroup, id: MemberId, pending: Pending): ClassicGroup => {
  const group = withoutPending(from, id)
  return { ...group, pending: HashMap.set(group.pending, id, pending), memberBytes: group.memberBytes + pendingBytes(id) }
}

const withoutMember = (group: ClassicGroup, id: MemberId): ClassicGroup => {
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

const withMember = (from: ClassicGroup, next: Member): ClassicGroup => {
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

/**
 * A member with a longer rebalance timeout lengthens the rebalance in progress; the initial rebalance of a group has
 * its own measure.
 */
const waitingFor = (group: ClassicGroup, timeoutMs: number): ClassicGroup =>
  group.phase !== "PreparingRebalance" || group.initialRebalance !== null || group.wait === null || group.wait.lastsMs >= timeoutMs
    ? group
    : { ...group, wait: { ...group.wait, lastsMs: timeoutMs } }

const bytesOfPending = ({ pending }: ClassicGroup): number => {
  let bytes = 0
  for (const id of HashMap.keys(pending)) bytes += pendingBytes(id)
  return bytes
}

const everyMember = (group: ClassicGroup, change: (member: Member) => Member): ClassicGroup => {
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

/** Once every member has asked for its assignment, the group waits for nothing. */
const settled = (group: ClassicGroup): ClassicGroup =>
  group.phase === "Stable" && group.unsyncedCount === 0 && group.wait !== null ? { ...group, wait: null } : group

const joined = (group: ClassicGroup, event: MemberJoined): ClassicGroup => {
  const { memberId, instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = event
  const isFirst = memberCount(group) === 0
  const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs }
  const next = withMember(
    { ...withoutPending(group, memberId), protocolType: isFirst ? protocolType : group.protocolType },
    { memberId, instanceId, clientId, clientHost, ...timeouts, protocols, assignment: noBytes, joined: true, synced: false, isNew: true }
  )
  const initialRebalance = next.initialRebalance === null || isFirst ? next.initialRebalance : { ...next.initialRebalance, newcomers: true }
  return waitingFor({ ...next, initialRebalance }, rebalanceTimeoutMs)
}

const rejoined = (group: ClassicGroup, { memberId, sessionTimeoutMs, rebalanceTimeoutMs, protocols }: MemberRejoined): ClassicGroup => {
  const old = member(group, memberId)
  if (old === undefined) return group
  const next = withMember(group, { ...old, sessionTimeoutMs, rebalanceTimeoutMs, protocols: protocols ?? old.protocols, joined: true })
  return waitingFor(next, rebalanceTimeoutMs)
}

const replaced = (group: ClassicGroup, event: MemberReplaced): ClassicGroup => {
  const { memberId, replacedId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs } = event
  const old = member(group, replacedId)
  if (old === undefined) return group
  const protocols = event.protocols ?? old.protocols
  const next = { ...old, memberId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols, joined: false }
  const leader = group.leader === replacedId ? memberId : group.leader
  return { ...withMember(withoutMember(group, replacedId), next), leader }
}

/** Each rebalance ends with a higher generation. A lower one would make a fenced member current again (G3). */
const higher = (group: ClassicGroup, generation: number): number =>
  generation > group.generation ? generation : bug(`group '${group.groupId}': generation ${generation} follows ${group.generation}`)

const generationStarted = (group: ClassicGroup, { at, generation, protocolName, leader }: GenerationStarted): ClassicGroup => ({
  ...everyMember(group, (member) => ({ ...member, joined: false, synced: false, isNew: false, assignment: noBytes })),
  phase: "CompletingRebalance",
  since: at,
  answeredAt: at,
  wait: { startedAt: at, lastsMs: rebalanceTimeoutMs(group) },
  initialRebalance: null,
  generation: higher(group, generation),
  protocolName,
  leader
})

/**
 * What each event of the classic protocol changes. An event about a member that is not in the group changes nothing.
 */
export const classicChanges: ByTag<ClassicGroup, ClassicEvent, ClassicGroup> = {
  MemberReserved: (group, { memberId, at, sessionTimeoutMs }) => withPending(group, memberId, { reservedAt: at, sessionTimeoutMs }),
  MemberJoined: joined,
  MemberRejoined: rejoined,
  MemberReplaced: replaced,
  MemberRemoved: (group, { memberId }) => settled(withoutMember(group, memberId)),
  RebalanceStarted: (group, { at, first }) => ({
    ...everyMember(group, (member) => ({ ...member, joined: false, synced: false })),
    phase: "PreparingRebalance",
    since: at,
    // Members that waited for the assignment get REBALANCE_IN_PROGRESS.
    answeredAt: group.phase === "CompletingRebalance" ? at : group.answeredAt,
    wait: { startedAt: at, lastsMs: first === null ? rebalanceTimeoutMs(group) : first.delayMs },
    initialRebalance: first === null ? null : { remainingMs: first.remainingMs, newcomers: false }
  }),
  RebalanceExtended: (group, { at, lastsMs, remainingMs }) => ({
    ...group,
    wait: { startedAt: at, lastsMs },
    initialRebalance: group.initialRebalance === null ? null : { remainingMs, newcomers: false }
  }),
  GenerationStarted: generationStarted,
  GroupEmptied: (group, { at, generation }) => ({
    ...initialClassic,
    groupId: group.groupId,
    protocolType: group.protocolType,
    pending: group.pending,
    offsets: group.offsets,
    memberBytes: bytesOfPending(group),
    offsetBytes: group.offsetBytes,
    phase: "Empty",
    since: at,
    generation: higher(group, generation)
  }),
  MemberSynced: (group, { memberId }) => {
    const old = member(group, memberId)
    return old === undefined ? group : settled(withMember(group, { ...old, synced: true }))
  },
  AssignmentsSet: (group, { at, assignments }) => {
    const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    const next = everyMember(group, (member) => ({
      ...member,
      synced: member.synced || member.memberId === group.leader,
      assignment: given.get(member.memberId) ?? noBytes
    }))
    return settled({ ...next, phase: "Stable", since: at, answeredAt: at })
  }
}
