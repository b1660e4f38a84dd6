import { Schema } from "effect"
import {
  AssignmentsSet,
  GenerationStarted,
  GroupEmptied,
  MemberJoined,
  MemberRejoined,
  MemberRemoved,
  MemberReplaced,
  MemberReserved,
  MemberSynced,
  RebalanceExtended,
  RebalanceStarted
} from "./classic/event.ts"
import { eventHead } from "./event-head.ts"
import { OffsetsCommitted, OffsetsRemoved } from "./offset/event.ts"
import { GroupType } from "./type.ts"

/**
 * Facts about one group, as its stream of the journal holds them. A field is never removed or given another meaning; a
 * new meaning is a new event. An event belongs to one type of group (its tag is in that type's room) or to every type.
 */
export class GroupCreated extends Schema.TaggedClass<GroupCreated>()("GroupCreated", {
  ...eventHead,
  /** Absent: classic, since there was no other type. */
  type: Schema.optional(GroupType)
}) {}
/** The group and its offsets were deleted. */
export class GroupDeleted extends Schema.TaggedClass<GroupDeleted>()("GroupDeleted", { ...eventHead }) {}

export const Event = Schema.Union(
  GroupCreated,
  MemberReserved,
  MemberJoined,
  MemberRejoined,
  MemberReplaced,
  MemberRemoved,
  RebalanceStarted,
  RebalanceExtended,
  GenerationStarted,
  GroupEmptied,
  MemberSynced,
  AssignmentsSet,
  OffsetsCommitted,
  OffsetsRemoved,
  GroupDeleted
)
export type Event = typeof Event.Type
