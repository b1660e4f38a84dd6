import { HashMap } from "effect"
import { GenerationStarted, GroupEmptied, MemberRemoved, RebalanceExtended, RebalanceStarted } from "../event.ts"
import type { GroupId } from "../id.ts"
import type { Limits } from "../limits.ts"
import type { Plan } from "../plan.ts"
import { electProtocol, everyoneJoined, type Group, memberCount, rebalanceTimeoutMs, type Span, sortedMembers } from "../state.ts"

/** What every step of a round needs to know: of which group, and when. */
export interface Moment {
  readonly groupId: GroupId
  readonly at: number
}

/** Whether a span is over. */
export const over = (span: Span | null, at: number): boolean => span !== null && at >= span.startedAt + span.lastsMs

/** Opens a round. `timeoutMs` is the rebalance timeout of the member that is about to join an empty group: the longest its first round may be put off. */
export const startRound = (limits: Limits, plan: Plan, { groupId, at }: Moment, reason: string, timeoutMs: number): void => {
  const delayMs = limits.initialRebalanceDelayMs
  const first = plan.group.phase === "Empty" ? { delayMs, remainingMs: Math.max(timeoutMs - delayMs, 0) } : null
  plan.happen(new RebalanceStarted({ groupId, at, reason, first }, true))
}

/** Ends the round when everybody is there. The first round of a group is not cut short: more members may be on their way. */
export const endRoundIfComplete = (plan: Plan, moment: Moment): void => {
  const { phase, firstRound } = plan.group
  if (phase === "PreparingRebalance" && firstRound === null && everyoneJoined(plan.group)) endRound(plan, moment)
}

/** Who leads the next generation: the old leader if it is back, else the first that is, by id. */
const electLeader = (group: Group) => {
  const joined = sortedMembers(group).filter((member) => member.joined)
  return joined.find((member) => member.memberId === group.leader) ?? joined[0]
}

/**
 * Ends the round with whoever is there. Dynamic members that did not come are out; static ones keep their place (KIP-345), and lose it if they do not sync.
 * When only absent static members are left, the round goes on until one is back or their sessions end.
 */
export const endRound = (plan: Plan, { groupId, at }: Moment): void => {
  for (const { memberId, instanceId, joined } of sortedMembers(plan.group)) {
    if (!joined && instanceId === null) plan.happen(new MemberRemoved({ groupId, at, memberId, instanceId, reason: "did not rejoin" }, true))
  }
  const { group } = plan
  if (memberCount(group) === 0) {
    plan.happen(new GroupEmptied({ groupId, at, generation: group.generation + 1 }, true))
    return
  }
  const leader = electLeader(group)
  if (leader === undefined) plan.happen(new RebalanceExtended({ groupId, at, lastsMs: rebalanceTimeoutMs(group), remainingMs: 0 }, true))
  else plan.happen(new GenerationStarted({ groupId, at, generation: group.generation + 1, protocolName: electProtocol(group), leader: leader.memberId }, true))
}

/** The time of the open round is over: the first round of a group may be put off once more, any other ends. */
export const completeJoin = (limits: Limits, plan: Plan, moment: Moment): void => {
  const { phase, firstRound, wait } = plan.group
  if (phase !== "PreparingRebalance" || wait === null || !over(wait, moment.at)) return
  if (firstRound !== null && firstRound.newcomers && firstRound.remainingMs > 0) {
    const lastsMs = Math.min(limits.initialRebalanceDelayMs, firstRound.remainingMs)
    plan.happen(new RebalanceExtended({ ...moment, lastsMs, remainingMs: Math.max(firstRound.remainingMs - wait.lastsMs, 0) }, true))
  } else endRound(plan, moment)
}

/** The time to sync is over: who did not is out, and the others join again. */
export const expireSync = (limits: Limits, plan: Plan, moment: Moment, generation: number): void => {
  const { group } = plan
  if (group.generation !== generation || (group.phase !== "CompletingRebalance" && group.phase !== "Stable")) return
  if (group.unsyncedCount === 0 || !over(group.wait, moment.at)) return
  for (const { memberId, instanceId, synced } of sortedMembers(group)) {
    if (!synced) plan.happen(new MemberRemoved({ ...moment, memberId, instanceId, reason: "did not sync" }, true))
  }
  startRound(limits, plan, moment, "members did not sync in time", 0)
  endRoundIfComplete(plan, moment)
}

/** After members are gone: a generation that has lost one is over, and a round that only waited for them may end. */
export const afterRemoval = (limits: Limits, plan: Plan, moment: Moment, reason: string): void => {
  const { phase } = plan.group
  if (phase === "Stable" || phase === "CompletingRebalance") startRound(limits, plan, moment, reason, 0)
  endRoundIfComplete(plan, moment)
}

/** Whether the group has nothing worth keeping. */
export const isVoid = (group: Group): boolean => group.phase === "Empty" && HashMap.isEmpty(group.offsets) && HashMap.isEmpty(group.pending)
