import { type OffsetRules } from "../offset/rules.ts"
import { rejected } from "../plan.ts"
import { type ClassicGroup, identityError } from "./state.ts"
import { subscribedTopics } from "./subscription.ts"

/** The rules of the classic protocol for committed offsets. */
export const classicOffsetRules: OffsetRules<ClassicGroup> = {
  commitRejection: (group, { groupId, memberId, instanceId, generation }) => {
    if (group.phase === "Dead") return generation < 0 ? null : rejected("ILLEGAL_GENERATION", `There is no group '${groupId}'.`)
    // An administrator, or a consumer that assigns its partitions itself: only where there is no member whose offsets
    // it would overwrite.
    if (generation < 0 && group.phase === "Empty") return null
    if (generation >= 0 || memberId !== "" || instanceId !== null) {
      const error = identityError(group, memberId, instanceId)
      if (error !== null) return rejected(error, `'${memberId}' is not in group '${groupId}'.`)
      if (generation !== group.generation) return rejected("ILLEGAL_GENERATION", `Group '${groupId}' is at generation ${group.generation}, not ${generation}.`)
    } else return rejected("UNKNOWN_MEMBER_ID", `Group '${groupId}' has members: only they commit.`)
    // The generation is right, so the member knows of the rebalance that is completing: it must complete that first.
    return group.phase === "CompletingRebalance" ? rejected("REBALANCE_IN_PROGRESS", `Group '${groupId}' rebalances.`) : null
  },
  hasMembers: ({ phase }) => phase !== "Empty" && phase !== "Dead",
  readsTopics: ({ protocolType }) => protocolType === "consumer",
  subscribedTopics,
  agesFrom: (group, isSubscribed, { commitAt }) => {
    if (group.protocolType === null) return commitAt
    if (isSubscribed) return null
    if (group.phase === "Empty") return group.since
    return group.phase === "Stable" && group.protocolType === "consumer" ? commitAt : null
  }
}
