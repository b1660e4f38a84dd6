import { HashMap } from "effect"
import type { CommandOf } from "../command.ts"
import { GroupCreated, MemberJoined, MemberRejoined, MemberReplaced, MemberReserved } from "../event.ts"
import type { MemberId } from "../id.ts"
import type { Limits } from "../limits.ts"
import { type Decision, nameTooLong, nothing, Plan, rejected } from "../plan.ts"
import { electProtocol, type Group, identityError, initial, instance, member, memberCount, supports } from "../state.ts"
import { type Member, metadataOf, type Protocol, sameProtocols } from "./member.ts"
import { endRoundIfComplete, type Moment, startRound } from "./rebalance.ts"
import { subscriptionTopics } from "./subscription.ts"

type Join = CommandOf<"Join">

/** A group that is full takes nobody new. In a round those who are back count, so that the last to come back are the ones that are left out. */
const hasRoom = (limits: Limits, group: Group, memberId: MemberId): boolean => {
  const known = member(group, memberId)
  if (group.phase === "PreparingRebalance") return known?.joined === true || group.joinedCount < limits.groupSizeMax
  if (group.phase === "Empty" || group.phase === "Dead") return true
  return known !== undefined || memberCount(group) < limits.groupSizeMax
}

/** An assignor that is named twice counts once, as it first stands: otherwise it would seem to have a supporter more than there are. */
const distinct = (protocols: ReadonlyArray<Protocol>): ReadonlyArray<Protocol> => {
  const byName = new Map<string, Protocol>()
  for (const protocol of protocols) if (!byName.has(protocol.name)) byName.set(protocol.name, protocol)
  return byName.size === protocols.length ? protocols : Array.from(byName.values())
}

const moment = ({ groupId, at }: Join): Moment => ({ groupId, at })
/** So much of what a client says about its reasons is kept. */
const reasonMax = 255
const because = (what: string, { reason }: Join): string => (reason === "" ? what : `${what} (${reason.slice(0, reasonMax)})`)
const timeouts = ({ sessionTimeoutMs, rebalanceTimeoutMs }: Join) => ({ sessionTimeoutMs, rebalanceTimeoutMs })

const add = (limits: Limits, plan: Plan, join: Join, memberId: MemberId): Decision => {
  const { instanceId, clientId, clientHost, protocolType, protocols } = join
  if (plan.group.phase !== "PreparingRebalance") startRound(limits, plan, moment(join), because(`member ${memberId} is new`, join), join.rebalanceTimeoutMs)
  plan.happen(new MemberJoined({ ...moment(join), memberId, instanceId, clientId, clientHost, ...timeouts(join), protocolType, protocols }, true))
  endRoundIfComplete(plan, moment(join))
  return plan.decision
}

/** The member is back in the open round. Nothing happens when it was there already and says the same. */
const rejoin = (plan: Plan, join: Join, memberId: MemberId): Decision => {
  const known = member(plan.group, memberId)
  if (known === undefined) return rejected("UNKNOWN_MEMBER_ID", `Member '${memberId}' is not in group '${join.groupId}'.`)
  const same = sameProtocols(known.protocols, join.protocols)
  const news = !same || known.sessionTimeoutMs !== join.sessionTimeoutMs || known.rebalanceTimeoutMs !== join.rebalanceTimeoutMs
  if (!known.joined || news) plan.happen(new MemberRejoined({ ...moment(join), memberId, ...timeouts(join), protocols: same ? null : join.protocols }, true))
  endRoundIfComplete(plan, moment(join))
  return plan.decision
}

const rejoinInNewRound = (limits: Limits, plan: Plan, join: Join, memberId: MemberId, reason: string): Decision => {
  startRound(limits, plan, moment(join), because(reason, join), 0)
  return rejoin(plan, join, memberId)
}

/** Whether two consumers subscribe to the same topics, as far as that can be known; other kinds of members are believed. */
const wantsTheSame = ({ protocolType, protocolName }: Group, before: Member | undefined, after: Member | undefined): boolean => {
  if (protocolType !== "consumer" || before === undefined || after === undefined || before.protocols === after.protocols) return true
  const old = subscriptionTopics(metadataOf(before, protocolName))
  const now = subscriptionTopics(metadataOf(after, protocolName))
  return old === null || now === null || (old.length === now.length && new Set([...old, ...now]).size === new Set(now).size)
}

/**
 * A static member without its id takes over from the one that has its instance id, and fences it.
 *
 * In a stable group that goes without a rebalance as long as the same assignor would be elected (KIP-345): the place keeps its assignment. Kafka stops there; we
 * also look whether a consumer still subscribes to the same topics, since it would otherwise be left with partitions that it does not want, and without those
 * that it does. While the leader computes, the old id is in what it computes from, so that the new one would get nothing: everyone joins again.
 */
const replace = (limits: Limits, plan: Plan, join: Join, instanceId: string, replacedId: MemberId): Decision => {
  const memberId = join.newMemberId
  const old = member(plan.group, replacedId)
  const protocols = old !== undefined && sameProtocols(old.protocols, join.protocols) ? null : join.protocols
  const { clientId, clientHost } = join
  plan.happen(new MemberReplaced({ ...moment(join), memberId, replacedId, instanceId, clientId, clientHost, ...timeouts(join), protocols }, true))
  const { phase, protocolName } = plan.group
  if (phase === "PreparingRebalance") return rejoin(plan, join, memberId)
  if (phase === "Stable" && electProtocol(plan.group) === protocolName && wantsTheSame(plan.group, old, member(plan.group, memberId))) return plan.decision
  return rejoinInNewRound(limits, plan, join, memberId, `static member ${instanceId} is back`)
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
  return plan.happen(new MemberReserved({ ...moment(join), memberId: newMemberId, sessionTimeoutMs }, true)).decision
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
    return rejoinInNewRound(limits, plan, join, memberId, `member ${memberId} subscribes anew`)
  }
  // The leader joins again when what it assigns from has changed: topics, partitions. Anybody else only lost an answer, and is told again where the group stands.
  if (group.phase === "Stable" && group.leader === memberId) return rejoinInNewRound(limits, plan, join, memberId, `leader ${memberId} joins again`)
  return nothing
}

/** Names that are kept and longer than `franz.group.name.max.bytes`: of a group that would be new, of a static member, of a kind of group, of an assignor. */
const nameFault = ({ nameMax }: Limits, group: Group, { groupId, instanceId, protocols, protocolType }: Join): Decision | undefined => {
  if (group.phase === "Dead" && groupId.length > nameMax) return nameTooLong(groupId.length, nameMax)
  if ((instanceId?.length ?? 0) > nameMax)
    return rejected("INVALID_REQUEST", `A group.instance.id has at most ${nameMax} characters, this one ${instanceId?.length} (franz.group.name.max.bytes).`)
  if (protocolType.length > nameMax || protocols.some(({ name }) => name.length > nameMax))
    return rejected("INCONSISTENT_GROUP_PROTOCOL", `A protocol type and an assignor's name have at most ${nameMax} characters (franz.group.name.max.bytes).`)
  return undefined
}

/**
 * A member joins. The events say whether it is in a round (then its answer waits for GenerationStarted), has been given an id (MemberReserved: the answer is
 * MEMBER_ID_REQUIRED), or belongs to the generation that is there (no event, or MemberReplaced alone). `joinAnswer` reads that off the group.
 */
export const join = (limits: Limits, group: Group, asked: Join): Decision => {
  // What a client calls itself is for operators to read; the group knows it by its member id.
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
  if (!hasRoom(limits, group, memberId)) return rejected("GROUP_MAX_SIZE_REACHED", `Group '${groupId}' has ${limits.groupSizeMax} members already.`)
  if (!supports(group, command.protocolType, command.protocols)) {
    return rejected(
      "INCONSISTENT_GROUP_PROTOCOL",
      `The members of group '${groupId}' support none of the assignors that the new one does, or are of another type.`
    )
  }
  const plan = new Plan(group.phase === "Dead" ? initial : group)
  if (group.phase === "Dead") plan.happen(new GroupCreated({ groupId, at }, true))
  return isNew ? joinNew(limits, plan, command) : joinExisting(limits, plan, command)
}
