import { HashMap } from "effect"
import type { KafkaError } from "../../kernel/error-code.ts"
import type { CommandOf } from "../command.ts"
import type { Event } from "../event.ts"
import type { MemberId } from "../id.ts"
import type { Limits } from "../limits.ts"
import { type Decision, Plan, rejected } from "../plan.ts"
import type { LeavingMember } from "./command.ts"
import { MemberRemoved } from "./event.ts"
import { afterRemoval, completeIfAllJoined } from "./rebalance.ts"
import { type ClassicGroup, identityError, instance, member } from "./state.ts"

/**
 * Returns the id that leaves: of a member, or one that was given out and is not used yet; undefined where there is no
 * such id.
 */
const leavingId = (group: ClassicGroup, { memberId, instanceId }: LeavingMember): MemberId | undefined => {
  if (memberId === "") return instanceId === null ? undefined : instance(group, instanceId)
  return HashMap.has(group.pending, memberId) || identityError(group, memberId, instanceId) === null ? memberId : undefined
}

/** Members leave, as many as the request names (KIP-345). Each gets its own error, see `leaveErrors`. */
export const leave = (limits: Limits, group: ClassicGroup, { groupId, at, members }: CommandOf<"Leave">): Decision => {
  if (group.phase === "Dead") return rejected("UNKNOWN_MEMBER_ID", `There is no group '${groupId}'.`)
  const plan = new Plan(group)
  let left = 0
  for (const leaving of members) {
    const memberId = leavingId(plan.group, leaving)
    if (memberId === undefined) continue
    const known = member(plan.group, memberId)
    plan.emit(new MemberRemoved({ groupId, at, memberId, instanceId: known?.instanceId ?? null, reason: "left" }, true))
    if (known !== undefined) left++
  }
  if (left > 0) afterRemoval(limits, plan, { groupId, at }, left === 1 ? "a member left" : `${left} members left`)
  else completeIfAllJoined(plan, { groupId, at })
  return plan.decision
}

/**
 * Returns the error of each member that asked to leave, in order: from the group after the decision, and its events.
 */
export const leaveErrors = (after: ClassicGroup, events: ReadonlyArray<Event>, members: ReadonlyArray<LeavingMember>): ReadonlyArray<KafkaError> => {
  const left = new Map<string, string | null>()
  const byInstance = new Map<string, string>()
  for (const event of events) {
    if (event._tag !== "MemberRemoved" || event.reason !== "left") continue
    left.set(event.memberId, event.instanceId)
    if (event.instanceId !== null) byInstance.set(event.instanceId, event.memberId)
  }
  return members.map(({ memberId, instanceId }) => {
    const id = memberId !== "" ? memberId : instanceId === null ? undefined : byInstance.get(instanceId)
    if (id !== undefined && left.delete(id)) return "NONE"
    return memberId === "" ? "UNKNOWN_MEMBER_ID" : (identityError(after, memberId, instanceId) ?? "UNKNOWN_MEMBER_ID")
  })
}
