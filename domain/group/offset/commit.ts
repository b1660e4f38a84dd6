import { HashMap, Option } from "effect"
import type { ByTag } from "../../kernel/decider.ts"
import type { CommandOf } from "../command.ts"
import { GroupCreated, GroupDeleted } from "../event.ts"
import type { Limits } from "../limits.ts"
import { offsetRulesOf } from "../offset-rules.ts"
import { type Decision, nameTooLong, nothing, Plan, rejected } from "../plan.ts"
import { type Group, isVoid } from "../state.ts"
import type { OffsetCommands } from "./command.ts"
import { committed, type PartitionOffset, partitionsWithout, type TopicPartitions } from "./committed.ts"
import { OffsetsCommitted, OffsetsRemoved } from "./event.ts"

/**
 * Returns whether the metadata of an offset is too long: that partition gets OFFSET_METADATA_TOO_LARGE, and the others
 * are committed.
 */
export const metadataTooLarge = (limits: Limits, { metadata }: Pick<PartitionOffset, "metadata">): boolean => metadata.length > limits.offsetMetadataMax

/**
 * Offsets are committed: by a member of the present generation, or by a client outside of the group's management into a
 * group without members, which is created where there is none.
 */
const commitOffsets = (group: Group, command: CommandOf<"CommitOffsets">, limits: Limits): Decision => {
  const rejection = offsetRulesOf(group).commitRejection(group, command)
  if (rejection !== null) return rejection
  const { groupId, at, memberId, generation } = command
  const offsets = command.offsets.filter((offset) => !metadataTooLarge(limits, offset))
  if (offsets.length === 0) return nothing
  if (group.phase === "Dead" && groupId.length > limits.nameMax) return nameTooLong(groupId.length, limits.nameMax)
  const plan = new Plan(group)
  // As in Kafka, a group that has offsets alone is a classic one.
  if (group.phase === "Dead") plan.emit(new GroupCreated({ groupId, at, type: "classic" }, true))
  return plan.emit(new OffsetsCommitted({ groupId, at, memberId, generation, offsets }, true)).decision
}

/** Returns whether members use an offset of the topic. Consumers whose subscriptions cannot be read use every topic. */
const isSubscribed = (group: Group, topics: ReadonlySet<string> | null, topic: string): boolean =>
  topics === null ? offsetRulesOf(group).readsTopics(group) : topics.has(topic)

/**
 * Returns the topics among these whose offsets may not be deleted, since members read them: GROUP_SUBSCRIBED_TO_TOPIC.
 */
export const inUse = (group: Group, partitions: ReadonlyArray<TopicPartitions>): ReadonlySet<string> => {
  if (!offsetRulesOf(group).hasMembers(group)) return new Set()
  const topics = offsetRulesOf(group).subscribedTopics(group)
  return new Set(partitions.filter(({ topic }) => isSubscribed(group, topics, topic)).map(({ topic }) => topic))
}

/**
 * Offsets are deleted one by one (OffsetDelete). Those in use stay, see `inUse`; those that were never committed need
 * no deletion.
 */
const deleteOffsets = (group: Group, { groupId, at, partitions }: CommandOf<"DeleteOffsets">): Decision => {
  if (group.phase === "Dead") return rejected("GROUP_ID_NOT_FOUND", `There is no group '${groupId}'.`)
  const rules = offsetRulesOf(group)
  if (rules.hasMembers(group) && !rules.readsTopics(group))
    return rejected("NON_EMPTY_GROUP", `Group '${groupId}' has members, and what they read is not known.`)
  const used = inUse(group, partitions)
  const removed: Array<TopicPartitions> = []
  for (const { topic, partitions: asked } of partitions) {
    const held = used.has(topic) ? [] : asked.filter((partition) => committed(group.offsets, topic, partition) !== undefined)
    if (held.length > 0) removed.push({ topic, partitions: held })
  }
  if (removed.length === 0) return nothing
  return new Plan(group).emit(new OffsetsRemoved({ groupId, at, reason: "deleted", removed }, true)).decision
}

/**
 * The offsets of a removed topic are removed with it, so that a new topic of that name begins without offsets (M7,
 * L10).
 */
const removeTopic = (group: Group, { groupId, at, topic }: CommandOf<"RemoveTopic">): Decision => {
  const held = Option.getOrUndefined(HashMap.get(group.offsets, topic))
  if (held === undefined) return nothing
  const removed = [{ topic, partitions: Array.from(HashMap.keys(held)).sort((a, b) => a - b) }]
  return new Plan(group).emit(new OffsetsRemoved({ groupId, at, reason: "topic removed", removed }, true)).decision
}

/** Offsets past the retention are removed, and a group without members with its last offset. */
export const expireOffsets = (limits: Limits, group: Group, { groupId, at }: CommandOf<"ExpireOffsets">): Decision => {
  const rules = offsetRulesOf(group)
  const topics = rules.subscribedTopics(group)
  const removed = partitionsWithout(group.offsets, (topic, offset) => {
    const from = rules.agesFrom(group, isSubscribed(group, topics, topic), offset)
    return from === null || (offset.expiresAt === null ? at - from < limits.offsetsRetentionMs : at < offset.expiresAt)
  })
  const plan = new Plan(group)
  if (removed.length > 0) plan.emit(new OffsetsRemoved({ groupId, at, reason: "expired", removed }, true))
  if (isVoid(plan.group)) plan.emit(new GroupDeleted({ groupId, at }, true))
  return plan.decision
}

/** What each command about offsets comes to. */
export const offsetDecisions: ByTag<Group, CommandOf<keyof OffsetCommands>, Decision, [limits: Limits]> = {
  CommitOffsets: commitOffsets,
  DeleteOffsets: deleteOffsets,
  RemoveTopic: removeTopic,
  ExpireOffsets: (group, command, limits) => expireOffsets(limits, group, command)
}
