import type { CommandOf } from "./command.ts"
import { GroupDeleted } from "./event.ts"
import { type Decision, Plan, rejected } from "./plan.ts"
import type { Group } from "./state.ts"

/** The group is deleted with its offsets (DeleteGroups), where it has no members. */
export const deleteGroup = (group: Group, { groupId, at }: CommandOf<"DeleteGroup">): Decision => {
  if (group.phase === "Dead") return rejected("GROUP_ID_NOT_FOUND", `There is no group '${groupId}'.`)
  if (group.phase !== "Empty") return rejected("NON_EMPTY_GROUP", `Group '${groupId}' has members.`)
  return new Plan(group).emit(new GroupDeleted({ groupId, at }, true)).decision
}
