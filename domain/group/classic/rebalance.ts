import type { EventContext } from "../event-head.ts"
import type { Limits } from "../limits.ts"
import type { Plan } from "../plan.ts"
import { GenerationStarted, GroupEmptied, MemberRemoved, RebalanceExtended, RebalanceStarted } from "./event.ts"
import { allMembersJoined, type ClassicGroup, electProtocol, memberCount, rebalanceTimeoutMs, type Span, sortedMembers } from "./state.ts"

/** Returns whether a span is over. */
const isOver = (span: Span | null, at: number): boolean => span !== null && at >= span.startedAt + span.lastsMs

/**
 * Starts a rebalance. `timeoutMs` is the rebalance timeout of the member that is about to join an empty group: the
 * initial rebalance is delayed by that much at most.
 */
export const startRebalance = (limits: Limits, plan: Plan, { groupId, at }: EventContext, reason: string, timeoutMs: number): void => {
  const delayMs = limits.initialRebalanceDelayMs
  const first = plan.group.phase === "Empty" ? { delayMs, remainingMs: Math.max(timeoutMs - delayMs, 0) } : null
  plan.emit(new RebalanceStarted({ groupId, at, reason, first }, true))
}

/**
 * Ends the joining when every member has rejoined. An initial rebalance is not cut short: more members may be about to
 * join.
 */
export const completeIfAllJoined = (plan: Plan, context: EventContext): void => {
  const { phase, initialRebalance } = plan.group
  if (phase === "PreparingRebalance" && initialRebalance === null && allMembersJoined(plan.group)) completeRebalance(plan, context)
}

/**
 * Returns the leader of the next generation: the present leader if it has rejoined, else the first member by id that
 * has.
 */
const electLeader = (group: ClassicGroup) => {
  const joined = sortedMembers(group).filter((member) => member.joined)
  return joined.find((member) => member.memberId === group.leader) ?? joined[0]
}

/**
 * Ends the joining with the members that have joined. Dynamic members that did not rejoin are removed. Static ones stay
 * (KIP-345), and are removed if they do not sync. When only static members are left and none of them has rejoined, the
 * rebalance continues until one rejoins or their sessions end.
 */
const completeRebalance = (plan: Plan, { groupId, at }: EventContext): void => {
  for (const { memberId, instanceId, joined } of sortedMembers(plan.group)) {
    if (!joined && instanceId === null) plan.emit(new MemberRemoved({ groupId, at, memberId, instanceId, reason: "did not rejoin" }, true))
  }
  const { group } = plan
  if (memberCount(group) === 0) {
    plan.emit(new GroupEmptied({ groupId, at, generation: group.generation + 1 }, true))
    return
  }
  const leader = electLeader(group)
  if (leader === undefined) plan.emit(new RebalanceExtended({ groupId, at, lastsMs: rebalanceTimeoutMs(group), remainingMs: 0 }, true))
  else plan.emit(new GenerationStarted({ groupId, at, generation: group.generation + 1, protocolName: electProtocol(group), leader: leader.memberId }, true))
}

/** The time for joining is over: an initial rebalance may be delayed once more, any other ends. */
export const completeJoin = (limits: Limits, plan: Plan, context: EventContext): void => {
  const { phase, initialRebalance, wait } = plan.group
  if (phase !== "PreparingRebalance" || wait === null || !isOver(wait, context.at)) return
  if (initialRebalance?.newcomers === true && initialRebalance.remainingMs > 0) {
    const { at, groupId } = context
    const lastsMs = Math.min(limits.initialRebalanceDelayMs, initialRebalance.remainingMs)
    plan.emit(new RebalanceExtended({ groupId, at, lastsMs, remainingMs: Math.max(initialRebalance.remainingMs - wait.lastsMs, 0) }, true))
  } else completeRebalance(plan, context)
}

/** The time for SyncGroup is over: members that did not sync are removed, and the others must rejoin. */
export const expireSync = (limits: Limits, plan: Plan, context: EventContext, generation: number): void => {
  const { group } = plan
  const { at, groupId } = context
  if (group.generation !== generation || (group.phase !== "CompletingRebalance" && group.phase !== "Stable")) return
  if (group.unsyncedCount === 0 || !isOver(group.wait, at)) return
  for (const { memberId, instanceId, synced } of sortedMembers(group)) {
    if (!synced) plan.emit(new MemberRemoved({ groupId, at, memberId, instanceId, reason: "did not sync" }, true))
  }
  startRebalance(limits, plan, context, "members did not sync in time", 0)
  completeIfAllJoined(plan, context)
}

/**
 * After members were removed: a generation that has lost one ends, and a rebalance that only waited for them may end.
 */
export const afterRemoval = (limits: Limits, plan: Plan, context: EventContext, reason: string): void => {
  const { phase } = plan.group
  if (phase === "Stable" || phase === "CompletingRebalance") startRebalance(limits, plan, context, reason, 0)
  completeIfAllJoined(plan, context)
}
