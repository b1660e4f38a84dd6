import { HashMap, Option } from "effect"
import { isVoid } from "../classic/rebalance.ts"
import { isSubscribed, subscribedTopics } from "../classic/subscription.ts"
import type { CommandOf } from "../command.ts"
import { GroupCreated, GroupDeleted, OffsetsCommitted, OffsetsRemoved } from "../event.ts"
import type { Limits } from "../limits.ts"
import { type Decision, nameTooLong, nothing, Plan, rejected } from "../plan.ts"
import { type Group, identityError } from "../state.ts"
import { type Committed, committed, type PartitionOffset, partitionsWithout, type TopicPartitions } from "./committed.ts"

/** Whether the text beside an offset is too long: that partition is answered OFFSET_METADATA_TOO_LARGE, and the others are committed. */
export const metadataTooLarge = (limits: Limits, { metadata }: Pick<PartitionOffset, "metadata">): boolean => metadata.length > limits.offsetMetadataMax

/** Why this commit may not be (G3), or null. */
const commitError = (group: Group, { groupId, memberId, instanceId, generation }: CommandOf<"CommitOffsets">): Decision | null => {
  if (group.phase === "Dead") return generation < 0 ? null : rejected("ILLEGAL_GENERATION", `There is no group '${groupId}'.`)
  // An administrator, or a consumer that assigns its partitions itself: only where no member could be robbed.
  if (generation < 0 && group.phase === "Empty") return null
  if (generation >= 0 || memberId !== "" || instanceId !== null) {
    const error = identityError(group, memberId, instanceId)
    if (error !== null) return rejected(error, `'${memberId}' is not in group '${groupId}'.`)
    if (generation !== group.generation) return rejected("ILLEGAL_GENERATION", `Group '${groupId}' is at generation ${group.generation}, not ${generation}.`)
  } else return rejected("UNKNOWN_MEMBER_ID", `Group '${groupId}' has members: only they commit.`)
  // The generation is right, so the member knows of the round that is completing: it is told to go on with that first.
  return group.phase === "CompletingRebalance" ? rejected("REBALANCE_IN_PROGRESS", `Group '${groupId}' rebalances.`) : null
}

/** Offsets are committed: by a member of the current generation, or from outside into a group without members, which is made by that when it is not there. */
export const commitOffsets = (limits: Limits, group: Group, command: CommandOf<"CommitOffsets">): Decision => {
  const error = commitError(group, command)
  if (error !== null) return error
  const { groupId, at, memberId, generation } = command
  const offsets = command.offsets.filter((offset) => !metadataTooLarge(limits, offset))
  if (offsets.length === 0) return nothing
  if (group.phase === "Dead" && groupId.length > limits.nameMax) return nameTooLong(groupId.length, limits.nameMax)
  const plan = new Plan(group)
  if (group.phase === "Dead") plan.happen(new GroupCreated({ groupId, at }, true))
  return plan.happen(new OffsetsCommitted({ groupId, at, memberId, generation, offsets }, true)).decision
}

/** Which of these partitions may not be deleted, since members read them: GROUP_SUBSCRIBED_TO_TOPIC. */
export const inUse = (group: Group, partitions: ReadonlyArray<TopicPartitions>): ReadonlySet<string> => {
  if (group.phase === "Empty" || group.phase === "Dead") return new Set()
  const topics = subscribedTopics(group)
  return new Set(partitions.filter(({ topic }) => isSubscribed(group, topics, topic)).map(({ topic }) => topic))
}

/** Offsets are deleted one by one (OffsetDelete). Those in use stay, see `inUse`; those that were never committed need no deletion. */
export const deleteOffsets = (group: Group, { groupId, at, partitions }: CommandOf<"DeleteOffsets">): Decision => {
  if (group.phase === "Dead") return rejected("GROUP_ID_NOT_FOUND", `There is no group '${groupId}'.`)
  if (group.phase !== "Empty" && group.protocolType !== "consumer")
    return rejected("NON_EMPTY_GROUP", `Group '${groupId}' has members, and what they read is not known.`)
  const used = inUse(group, partitions)
  const removed: Array<TopicPartitions> = []
  for (const { topic, partitions: asked } of partitions) {
    const held = used.has(topic) ? [] : asked.filter((partition) => committed(group.offsets, topic, partition) !== undefined)
    if (held.length > 0) removed.push({ topic, partitions: held })
  }
  if (removed.length === 0) return nothing
  return new Plan(group).happen(new OffsetsRemoved({ groupId, at, reason: "deleted", removed }, true)).decision
}

/** A removed topic takes its offsets with it, so that a new topic of that name begins anew (M7, L10). */
export const removeTopic = (group: Group, { groupId, at, topic }: CommandOf<"RemoveTopic">): Decision => {
  const held = Option.getOrUndefined(HashMap.get(group.offsets, topic))
  if (held === undefined) return nothing
  const removed = [{ topic, partitions: Array.from(HashMap.keys(held)).sort((a, b) => a - b) }]
  return new Plan(group).happen(new OffsetsRemoved({ groupId, at, reason: "topic removed", removed }, true)).decision
}

/**
 * When an offset begins to grow old, ms since the epoch, or null while it may not. In a group that has lost its members: since then. In one that never had any:
 * since the commit. While members are there, only what they do not subscribe to grows old, and only in a stable group (KIP-211).
 */
const agesFrom = (group: Group, subscribed: boolean, offset: Committed): number | null => {
  if (group.protocolType === null) return offset.commitAt
  if (subscribed) return null
  if (group.phase === "Empty") return group.since
  return group.phase === "Stable" && group.protocolType === "consumer" ? offset.commitAt : null
}

/** Offsets past the retention are forgotten, and a group without members with its last offset. */
export const expireOffsets = (limits: Limits, group: Group, { groupId, at }: CommandOf<"ExpireOffsets">): Decision => {
  const topics = subscribedTopics(group)
  const removed = partitionsWithout(group.offsets, (topic, offset) => {
    const from = agesFrom(group, isSubscribed(group, topics, topic), offset)
    return from === null || (offset.expiresAt === null ? at - from < limits.offsetsRetentionMs : at < offset.expiresAt)
  })
  const plan = new Plan(group)
  if (removed.length > 0) plan.happen(new OffsetsRemoved({ groupId, at, reason: "expired", removed }, true))
  if (isVoid(plan.group)) plan.happen(new GroupDeleted({ groupId, at }, true))
  return plan.decision
}

/** The group is deleted with its offsets. */
export const deleteGroup = (group: Group, { groupId, at }: CommandOf<"DeleteGroup">): Decision => {
  if (group.phase === "Dead") return rejected("GROUP_ID_NOT_FOUND", `There is no group '${groupId}'.`)
  if (group.phase !== "Empty") return rejected("NON_EMPTY_GROUP", `Group '${groupId}' has members.`)
  return new Plan(group).happen(new GroupDeleted({ groupId, at }, true)).decision
}
