import type { CommandOf } from "../command.ts"
import { type Decision, nothing, Plan, rejected } from "../plan.ts"
import { AssignmentsSet, MemberSynced } from "./event.ts"
import { noBytes } from "./member.ts"
import { type ClassicGroup, identityError, member, sortedMembers } from "./state.ts"

const differs = (asked: string | null, held: string | null): boolean => asked !== null && held !== null && asked !== held

/**
 * A member asks for its assignment. The request of the generation's leader brings every member's; until then the others
 * wait, and `syncResponse` reads from the group whether the response is ready. An assignment for an id that is not in
 * the generation is dropped. A member that the leader forgot has no partitions.
 */
export const sync = (
  group: ClassicGroup,
  { groupId, at, memberId, instanceId, generation, protocolType, protocolName, assignments }: CommandOf<"Sync">
): Decision => {
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return rejected(error, `'${memberId}' is not in group '${groupId}'.`)
  if (generation !== group.generation) return rejected("ILLEGAL_GENERATION", `Group '${groupId}' is at generation ${group.generation}, not ${generation}.`)
  if (differs(protocolType, group.protocolType) || differs(protocolName, group.protocolName)) {
    return rejected("INCONSISTENT_GROUP_PROTOCOL", `Group '${groupId}' is of type ${group.protocolType} with assignor ${group.protocolName}.`)
  }
  if (group.phase === "PreparingRebalance") return rejected("REBALANCE_IN_PROGRESS", `Group '${groupId}' rebalances: join again.`)
  if (group.phase === "CompletingRebalance" && group.leader === memberId) {
    const given = new Map(assignments.map((assigned) => [assigned.memberId, assigned.assignment]))
    const all = sortedMembers(group).map((each) => ({ memberId: each.memberId, assignment: given.get(each.memberId) ?? noBytes }))
    return new Plan(group).emit(new AssignmentsSet({ groupId, at, generation, assignments: all }, true)).decision
  }
  if (member(group, memberId)?.synced === true) return nothing
  return new Plan(group).emit(new MemberSynced({ groupId, at, memberId, generation }, true)).decision
}
