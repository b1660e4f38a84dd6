import { Either } from "effect"
import type { KafkaError, Rejection } from "../kernel/error-code.ts"
import type { Command } from "./command.ts"
import type { Limits } from "./limits.ts"
import type { Decision } from "./plan.ts"
import { groupBytes } from "./size.ts"
import type { Group } from "./state.ts"

/** How much there is: of groups, and of bytes in them. */
export interface Load {
  readonly groups: number
  readonly bytes: number
}
export const noLoad: Load = { groups: 0, bytes: 0 }

/** What a client is told whose request would make its group too large: each error is final for that kind of request. Kafka answers a commit that it cannot store in the same way. */
const tooLarge: { readonly [Tag in Command["_tag"]]?: KafkaError } = {
  Join: "GROUP_MAX_SIZE_REACHED",
  Sync: "INVALID_REQUEST",
  CommitOffsets: "INVALID_COMMIT_OFFSET_SIZE"
}
/** Whether the command can make its group larger than it was. */
export const mayGrow = ({ _tag }: Command): boolean => _tag in tooLarge

/** What is told where all groups together have no room: the client asks again, and there may be room by then. */
const noRoom: KafkaError = "COORDINATOR_NOT_AVAILABLE"

/** The part of the room that new groups have. */
const newGroupsPart = 0.75

const fault = (limits: Limits, all: Load, before: Group, after: Group, command: Command): Rejection | undefined => {
  const error = tooLarge[command._tag]
  const [had, has] = [groupBytes(before), groupBytes(after)]
  if (error === undefined || has <= had) return undefined
  const { groupBytesMax, groupsBytesMax, groupsMax } = limits
  const name = `Group '${command.groupId.slice(0, 60)}'`
  if (has > groupBytesMax) return { error, message: `${name} would hold ${has} bytes, the most is ${groupBytesMax} (franz.group.max.bytes).` }
  const isNew = before.phase === "Dead"
  if (isNew && all.groups >= groupsMax) return { error: noRoom, message: `${name} is one over ${groupsMax} groups (franz.groups.max.count).` }
  const bytesMax = isNew ? newGroupsPart * groupsBytesMax : groupsBytesMax
  if (all.bytes + has - had > bytesMax)
    return {
      error: noRoom,
      message: `${name} needs ${has - had} bytes more, and all groups hold ${all.bytes} of ${groupsBytesMax} (franz.groups.max.bytes).`
    }
  return undefined
}

/** The decision, or why what comes of it is too much. `after` is the group as the decided events leave it, `all` what there is before. Nothing stops a group from getting smaller. */
export const withinBounds = (limits: Limits, all: Load, before: Group, command: Command, decision: Decision, after: Group): Decision => {
  const found = fault(limits, all, before, after, command)
  return found === undefined ? decision : Either.left(found)
}
