import { HashMap } from "effect"
import type { CommandOf } from "../command.ts"
import { GroupCreated } from "../event.ts"
import type { EventContext } from "../event-head.ts"
import type { MemberId } from "../id.ts"
import type { Limits } from "../limits.ts"
import { type Decision, nameTooLong, nothing, Plan, rejected } from "../plan.ts"
import { MemberJoined, MemberRejoined, MemberReplaced, MemberReserved } from "./event.ts"
import { type Member, metadataOf, type Protocol, sameProtocols } from "./member.ts"
import { completeIfAllJoined, startRebalance } from "./rebalance.ts"
import { type ClassicGroup, electProtocol, identityError, initialClassic, instance, member, memberCount, supports } from "./state.ts"
import { subscriptionTopics } from "./subscription.ts"

type Join = CommandOf<"Join">

/**
 * Returns whether the group takes the member. During a rebalance the members that have rejoined count, so that the last
 * ones to rejoin are left out.
 */
const hasCapacity = (limits: Limits, group: ClassicGroup, memberId: MemberId): boolean => {
  const known = member(group, memberId)
  if (group.phase === "PreparingRebalance") return known?.joined === true || group.joinedCount < limits.groupSizeMax
  if (group.phase === "Empty" || group.phase === "Dead") return true
  return known !== undefined || memberCount(group) < limits.groupSizeMax
}

/**
 * An assignor that is named twice counts once, where it is named first: otherwise it would seem to have one supporter
 * more than there are members.
 */
const distinct = (protocols: ReadonlyArray<Protocol>): ReadonlyArray<Protocol> => {
  const byName = new Map<string, Protocol>()
  for (const protocol of protocols) if (!byName.has(protocol.name)) byName.set(protocol.name, protocol)
  return byName.size === protocols.length ? protocols : Array.from(byName.values())
}

const contextOf = ({ groupId, at }: Join): EventContext => ({ groupId, at })
/** Characters of a client's reason that the journal keeps. */
const reasonCharactersMax = 255
const because = (what: string, { reason }: Join): string => (reason === "" ? what : `${what} (${reason.slice(0, reasonCharactersMax)})`)
const timeouts = ({ sessionTimeoutMs, rebalanceTimeoutMs }: Join) => ({ sessionTimeoutMs, rebalanceTimeoutMs })

const add = (limits: Limits, plan: Plan, join: Join, memberId: MemberId): Decision => {
  const { instanceId, clientId, clientHost, protocolType, protocols } = join
  if (plan.group.phase !== "PreparingRebalance")
    startRebalance(limits, plan, contextOf(join), because(`member ${memberId} is new`, join), join.rebalanceTimeoutMs)
  plan.emit(new MemberJoined({ ...contextOf(join), memberId, instanceId, clientId, clientHost, ...timeouts(join), protocolType, protocols }, true))
  completeIfAllJoined(plan, contextOf(join))
  return plan.decision
}

/**
 * A member rejoins the rebalance in progress. No event where it has rejoined already with the same protocols and
 * timeouts.
 */
const rejoin = (plan: Plan, join: Join, memberId: MemberId): Decision => {
  const known = member(plan.group, memberId)
  if (known === undefined) return rejected("UNKNOWN_MEMBER_ID", `Member '${memberId}' is not in group '${join.groupId}'.`)
  const same = sameProtocols(known.protocols, join.protocols)
  const differs = !same || known.sessionTimeoutMs !== join.sessionTimeoutMs || known.rebalanceTimeoutMs !== join.rebalanceTimeoutMs
  if (!known.joined || differs)
    plan.emit(new MemberRejoined({ ...contextOf(join), memberId, ...timeouts(join), protocols: same ? null : join.protocols }, true))
  completeIfAllJoined(plan, contextOf(join))
  return plan.decision
}

const rejoinInNewRebalance = (limits: Limits, plan: Plan, join: Join, memberId: MemberId, reason: string): Decision => {
  startRebalance(limits, plan, contextOf(join), because(reason, join), 0)
  return rejoin(plan, join, memberId)
}

/**
 * Returns whether two consumers subscribe to the same topics, as far as their metadata can be read. Members of other
 * protocol types count as the same.
 */
const hasSameSubscription = ({ protocolType, protocolName }: ClassicGroup, before: Member | undefined, after: Member | undefined): boolean => {
  if (protocolType !== "consumer" || before === undefined || after === undefined || before.protocols === after.protocols) return true
  const old = subscriptionTopics(metadataOf(before, protocolName))
  const now = subscriptionTopics(metadataOf(after, protocolName))
  return old === null || now === null || (old.length === now.length && new Set([...old, ...now]).size === new Set(now).size)
}

/**
 * A static member without its id replaces the member that has its instance id, and fences it.
 *
 * In a stable group there is no rebalance as long as the same assignor would be elected (KIP-345): the member keeps its
 * assignment. Kafka compares nothing else. Here the topics of a consumer are compared too, since it would otherwise be
 * left with partitions that it does not subscribe to, and without those that it does. While the leader computes the
 * assignment, the old id is in what it computes from, and the new id would get no partitions: every member rejoins.
 */
const replace = (limits: Limits, plan: Plan, join: Join, instanceId: string, replacedId: MemberId): Decision => {
  const memberId = join.newMemberId
  const old = member(plan.group, replacedId)
  const protocols = old !== undefined && sameProtocols(old.protocols, join.protocols) ? null : join.protocols
  const { clientId, clientHost } = join
  plan.emit(new MemberReplaced({ ...contextOf(join), memberId, replacedId, instanceId, clientId, clientHost, ...timeouts(join), protocols }, true))
  const { group } = plan
  if (group.phase === "PreparingRebalance") return rejoin(plan, join, memberId)
  const keepsAssignment = group.phase === "Stable" && electProtocol(group) === group.protocolName && hasSameSubscription(group, old, member(group, memberId))
  return keepsAssignment ? plan.decision : rejoinInNewRebalance(limits, plan, join, memberId, `static member ${instanceId} is back`)
}

const joinNew = (limits: Limits, plan: Plan, join: Join): Decision => {
  const { newMemberId, instanceId, sessionTimeoutMs } = join
  if (instanceId !== null) {
    const replacedId = instance(plan.group, instanceId)
    return replacedId === undefined ? add(limits, plan, join, newMemberId) : replace(limits, plan, join, instanceId, replacedId)
  }
  if (!join.memberIdRequired) return add(limits, plan, join, newMemberId)
  if (HashMap.size(plan.group.pending) >= limits.pendingMembersMax) {
    return rejected("GROUP_MAX_SIZE_REACHED", `Group '${join.groupId}' waits for ${limits.pendingMembersMax} members that were given an id and did not use it.`)
  }
  return plan.emit(new MemberReserved({ ...contextOf(join), memberId: newMemberId, sessionTimeoutMs }, true)).decision
}

const joinExisting = (limits: Limits, plan: Plan, join: Join): Decision => {
  const { memberId, instanceId } = join
  const { group } = plan
  if (HashMap.has(group.pending, memberId) && instanceId === null) return add(limits, plan, join, memberId)
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return rejected(error, `'${memberId}' may not join group '${join.groupId}'.`)
  if (group.phase === "PreparingRebalance") return rejoin(plan, join, memberId)
  const known = member(group, memberId)
  if (known !== undefined && !sameProtocols(known.protocols, join.protocols)) {
    return rejoinInNewRebalance(limits, plan, join, memberId, `member ${memberId} subscribes anew`)
  }
  // The leader rejoins when what it assigns from has changed: topics, partitions. Any other member only lost a
  // response, and gets the state of the group again.
  if (group.phase === "Stable" && group.leader === memberId) return rejoinInNewRebalance(limits, plan, join, memberId, `leader ${memberId} joins again`)
  return nothing
}

/**
 * Refuses names that the group would keep and that are longer than `franz.group.name.max.bytes`: of a new group, a
 * static member, a protocol type, an assignor.
 */
const nameFault = ({ nameMax }: Limits, group: ClassicGroup, { groupId, instanceId, protocols, protocolType }: Join): Decision | undefined => {
  if (group.phase === "Dead" && groupId.length > nameMax) return nameTooLong(groupId.length, nameMax)
  if ((instanceId?.length ?? 0) > nameMax)
    return rejected("INVALID_REQUEST", `A group.instance.id has at most ${nameMax} characters, this one ${instanceId?.length} (franz.group.name.max.bytes).`)
  if (protocolType.length > nameMax || protocols.some(({ name }) => name.length > nameMax))
    return rejected("INCONSISTENT_GROUP_PROTOCOL", `A protocol type and an assignor's name have at most ${nameMax} characters (franz.group.name.max.bytes).`)
  return undefined
}

/**
 * A member joins. It takes part in a rebalance (its response waits for GenerationStarted), has been given an id
 * (MemberReserved: the response is MEMBER_ID_REQUIRED), or belongs to the present generation (no event, or
 * MemberReplaced alone). `joinResponse` reads that from the group.
 */
export const join = (limits: Limits, group: ClassicGroup, asked: Join): Decision => {
  // The client id is for operators to read; the group knows its members by their member ids.
  const command = { ...asked, clientId: asked.clientId.slice(0, limits.nameMax), protocols: distinct(asked.protocols) }
  const { groupId, at, memberId, sessionTimeoutMs } = command
  const { sessionTimeoutMinMs, sessionTimeoutMaxMs } = limits
  if (groupId === "") return rejected("INVALID_GROUP_ID", "A group that has members needs a name.")
  if (sessionTimeoutMs < sessionTimeoutMinMs || sessionTimeoutMs > sessionTimeoutMaxMs) {
    return rejected("INVALID_SESSION_TIMEOUT", `The session timeout ${sessionTimeoutMs} ms is not within ${sessionTimeoutMinMs} and ${sessionTimeoutMaxMs} ms.`)
  }
  const tooLong = nameFault(limits, group, command)
  if (tooLong !== undefined) return tooLong
  const isNew = memberId === ""
  if (group.phase === "Dead" && !isNew) return rejected("UNKNOWN_MEMBER_ID", `There is no group '${groupId}'.`)
  if (!hasCapacity(limits, group, memberId)) return rejected("GROUP_MAX_SIZE_REACHED", `Group '${groupId}' has ${limits.groupSizeMax} members already.`)
  if (!supports(group, command.protocolType, command.protocols)) {
    return rejected(
      "INCONSISTENT_GROUP_PROTOCOL",
      `The members of group '${groupId}' support none of the assignors that the new one does, or are of another type.`
    )
  }
  const plan = new Plan(group.phase === "Dead" ? initialClassic : group)
  if (group.phase === "Dead") plan.emit(new GroupCreated({ groupId, at, type: "classic" }, true))
  return isNew ? joinNew(limits, plan, command) : joinExisting(limits, plan, command)
}
