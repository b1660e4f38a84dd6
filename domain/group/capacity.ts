import { Either } from "effect"
import type { KafkaError, Rejection } from "../kernel/error-code.ts"
import type { Command } from "./command.ts"
import type { Limits } from "./limits.ts"
import type { Decision } from "./plan.ts"
import { groupBytes } from "./size.ts"
import type { Group } from "./state.ts"

/** A number of groups, and the bytes in them. */
export interface Load {
  readonly groups: number
  readonly bytes: number
}
export const noLoad: Load = { groups: 0, bytes: 0 }

/**
 * The error of each command that would make its group too large; null for commands that never make a group larger. Each
 * error is final for that kind of request. Kafka gives the same one for a commit that it cannot store.
 */
const tooLarge: { readonly [Tag in Command["_tag"]]: KafkaError | null } = {
  Join: "GROUP_MAX_SIZE_REACHED",
  Sync: "INVALID_REQUEST",
  Heartbeat: null,
  Leave: null,
  ExpireMember: null,
  CompleteJoin: null,
  ExpireSync: null,
  CommitOffsets: "INVALID_COMMIT_OFFSET_SIZE",
  DeleteOffsets: null,
  RemoveTopic: null,
  ExpireOffsets: null,
  DeleteGroup: null
}
/** Returns whether the command can make its group larger than it was. */
export const mayGrow = ({ _tag }: Command): boolean => tooLarge[_tag] !== null

/** The error where all groups together are too large: the client retries, and the node may have capacity by then. */
const noCapacity: KafkaError = "COORDINATOR_NOT_AVAILABLE"

/** The share of the capacity that new groups may use. */
const newGroupsShare = 0.75

const fault = (limits: Limits, all: Load, before: Group, after: Group, command: Command): Rejection | undefined => {
  const error = tooLarge[command._tag]
  const [had, has] = [groupBytes(before), groupBytes(after)]
  if (error === null || has <= had) return undefined
  const { groupBytesMax, groupsBytesMax, groupsMax } = limits
  const name = `Group '${command.groupId.slice(0, 60)}'`
  if (has > groupBytesMax) return { error, message: `${name} would hold ${has} bytes, the most is ${groupBytesMax} (franz.group.max.bytes).` }
  const isNew = before.phase === "Dead"
  if (isNew && all.groups >= groupsMax) return { error: noCapacity, message: `${name} is one over ${groupsMax} groups (franz.groups.max.count).` }
  const bytesMax = isNew ? newGroupsShare * groupsBytesMax : groupsBytesMax
  if (all.bytes + has - had > bytesMax)
    return {
      error: noCapacity,
      message: `${name} needs ${has - had} bytes more, and all groups hold ${all.bytes} of ${groupsBytesMax} (franz.groups.max.bytes).`
    }
  return undefined
}

/**
 * Returns the decision, or a rejection where its events would make the group, or all groups, too large. `after` is the
 * group with the events of the decision, `all` the load before them. A group may always get smaller.
 */
export const withinCapacity = (limits: Limits, all: Load, before: Group, command: Command, decision: Decision, after: Group): Decision => {
  const found = fault(limits, all, before, after, command)
  return found === undefined ? decision : Either.left(found)
}
