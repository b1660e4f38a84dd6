import { Schema } from "effect"
import { Protocol } from "./classic/member.ts"
import { GroupId, MemberId } from "./id.ts"
import { PartitionOffset, TopicPartitions } from "./offset/committed.ts"

/** What every event carries: the version of its form (`v`), its group (several share a stream), and when it was decided, ms since the epoch. */
const head = {
  v: Schema.Literal(1).pipe(
    Schema.propertySignature,
    Schema.withConstructorDefault(() => 1 as const)
  ),
  groupId: GroupId,
  at: Schema.Int
}

/**
 * Facts about one group, as they stand in its stream of the journal. A field is never removed or given another meaning; a new meaning is a new event.
 * Protocols are null where the member said again what it had said.
 */
export class GroupCreated extends Schema.TaggedClass<GroupCreated>()("GroupCreated", { ...head }) {}
/** An id was handed out with MEMBER_ID_REQUIRED (KIP-394); it must be used within the session timeout. */
export class MemberReserved extends Schema.TaggedClass<MemberReserved>()("MemberReserved", { ...head, memberId: MemberId, sessionTimeoutMs: Schema.Int }) {}
/** A new member is in the open round. */
export class MemberJoined extends Schema.TaggedClass<MemberJoined>()("MemberJoined", {
  ...head,
  memberId: MemberId,
  instanceId: Schema.NullOr(Schema.String),
  clientId: Schema.String,
  clientHost: Schema.String,
  sessionTimeoutMs: Schema.Int,
  rebalanceTimeoutMs: Schema.Int,
  protocolType: Schema.String,
  protocols: Schema.Array(Protocol)
}) {}
/** A member is in the open round again. */
export class MemberRejoined extends Schema.TaggedClass<MemberRejoined>()("MemberRejoined", {
  ...head,
  memberId: MemberId,
  sessionTimeoutMs: Schema.Int,
  rebalanceTimeoutMs: Schema.Int,
  protocols: Schema.NullOr(Schema.Array(Protocol))
}) {}
/** A static member came back under a new id (KIP-345): the old id is fenced from here on. */
export class MemberReplaced extends Schema.TaggedClass<MemberReplaced>()("MemberReplaced", {
  ...head,
  memberId: MemberId,
  replacedId: MemberId,
  instanceId: Schema.String,
  clientId: Schema.String,
  clientHost: Schema.String,
  sessionTimeoutMs: Schema.Int,
  rebalanceTimeoutMs: Schema.Int,
  protocols: Schema.NullOr(Schema.Array(Protocol))
}) {}
export const RemovalReason = Schema.Literal("left", "session expired", "did not rejoin", "did not sync")
export type RemovalReason = typeof RemovalReason.Type
export class MemberRemoved extends Schema.TaggedClass<MemberRemoved>()("MemberRemoved", {
  ...head,
  memberId: MemberId,
  instanceId: Schema.NullOr(Schema.String),
  reason: RemovalReason
}) {}
/** A round is open: everybody must join again. `first` is given when the group was empty: how long to wait, and for how long at most beyond that. */
export class RebalanceStarted extends Schema.TaggedClass<RebalanceStarted>()("RebalanceStarted", {
  ...head,
  reason: Schema.String,
  first: Schema.NullOr(Schema.Struct({ delayMs: Schema.Int, remainingMs: Schema.Int }))
}) {}
/** The round is given more time, counted from now. */
export class RebalanceExtended extends Schema.TaggedClass<RebalanceExtended>()("RebalanceExtended", {
  ...head,
  lastsMs: Schema.Int,
  remainingMs: Schema.Int
}) {}
/** The round is over: its members make up the generation, and the leader is asked for the assignment. */
export class GenerationStarted extends Schema.TaggedClass<GenerationStarted>()("GenerationStarted", {
  ...head,
  generation: Schema.Int,
  protocolName: Schema.NullOr(Schema.String),
  leader: MemberId
}) {}
/** The round is over, and nobody is left. */
export class GroupEmptied extends Schema.TaggedClass<GroupEmptied>()("GroupEmptied", { ...head, generation: Schema.Int }) {}
/** A member asked for its assignment. */
export class MemberSynced extends Schema.TaggedClass<MemberSynced>()("MemberSynced", { ...head, memberId: MemberId, generation: Schema.Int }) {}
/** The generation's leader gave everyone its assignment; who is not named has none. */
export class AssignmentsSet extends Schema.TaggedClass<AssignmentsSet>()("AssignmentsSet", {
  ...head,
  generation: Schema.Int,
  assignments: Schema.Array(Schema.Struct({ memberId: MemberId, assignment: Schema.Uint8ArrayFromBase64 }))
}) {}
/** Offsets were committed, by a member in its generation or, with -1, by somebody outside of the group's management. */
export class OffsetsCommitted extends Schema.TaggedClass<OffsetsCommitted>()("OffsetsCommitted", {
  ...head,
  memberId: MemberId,
  generation: Schema.Int,
  offsets: Schema.Array(PartitionOffset)
}) {}
export class OffsetsRemoved extends Schema.TaggedClass<OffsetsRemoved>()("OffsetsRemoved", {
  ...head,
  reason: Schema.Literal("deleted", "expired", "topic removed"),
  removed: Schema.Array(TopicPartitions)
}) {}
/** The group and its offsets are gone. */
export class GroupDeleted extends Schema.TaggedClass<GroupDeleted>()("GroupDeleted", { ...head }) {}

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
