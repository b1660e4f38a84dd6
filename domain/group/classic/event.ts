import { Schema } from "effect"
import { eventHead } from "../event-head.ts"
import { MemberId } from "../id.ts"
import { Protocol } from "./member.ts"

/** Facts about a classic group. Protocols are null where they are as before. */

/** A member id was given out with MEMBER_ID_REQUIRED (KIP-394). The client must use it within the session timeout. */
export class MemberReserved extends Schema.TaggedClass<MemberReserved>()("MemberReserved", {
  ...eventHead,
  memberId: MemberId,
  sessionTimeoutMs: Schema.Int
}) {}
/** A new member has joined the rebalance in progress. */
export class MemberJoined extends Schema.TaggedClass<MemberJoined>()("MemberJoined", {
  ...eventHead,
  memberId: MemberId,
  instanceId: Schema.NullOr(Schema.String),
  clientId: Schema.String,
  clientHost: Schema.String,
  sessionTimeoutMs: Schema.Int,
  rebalanceTimeoutMs: Schema.Int,
  protocolType: Schema.String,
  protocols: Schema.Array(Protocol)
}) {}
/** A member has rejoined: it takes part in the rebalance in progress. */
export class MemberRejoined extends Schema.TaggedClass<MemberRejoined>()("MemberRejoined", {
  ...eventHead,
  memberId: MemberId,
  sessionTimeoutMs: Schema.Int,
  rebalanceTimeoutMs: Schema.Int,
  protocols: Schema.NullOr(Schema.Array(Protocol))
}) {}
/** A static member restarted under a new id (KIP-345). The old id is fenced from here on. */
export class MemberReplaced extends Schema.TaggedClass<MemberReplaced>()("MemberReplaced", {
  ...eventHead,
  memberId: MemberId,
  replacedId: MemberId,
  instanceId: Schema.String,
  clientId: Schema.String,
  clientHost: Schema.String,
  sessionTimeoutMs: Schema.Int,
  rebalanceTimeoutMs: Schema.Int,
  protocols: Schema.NullOr(Schema.Array(Protocol))
}) {}
const RemovalReason = Schema.Literal("left", "session expired", "did not rejoin", "did not sync")
export class MemberRemoved extends Schema.TaggedClass<MemberRemoved>()("MemberRemoved", {
  ...eventHead,
  memberId: MemberId,
  instanceId: Schema.NullOr(Schema.String),
  reason: RemovalReason
}) {}
/**
 * A rebalance began: every member must rejoin. `first` is set for a group that was empty: how long to wait for more
 * members, and for how long at most beyond that.
 */
export class RebalanceStarted extends Schema.TaggedClass<RebalanceStarted>()("RebalanceStarted", {
  ...eventHead,
  reason: Schema.String,
  first: Schema.NullOr(Schema.Struct({ delayMs: Schema.Int, remainingMs: Schema.Int }))
}) {}
/** The rebalance has more time, counted from now. */
export class RebalanceExtended extends Schema.TaggedClass<RebalanceExtended>()("RebalanceExtended", {
  ...eventHead,
  lastsMs: Schema.Int,
  remainingMs: Schema.Int
}) {}
/** The joining is over: its members are the generation, and its leader computes the assignment. */
export class GenerationStarted extends Schema.TaggedClass<GenerationStarted>()("GenerationStarted", {
  ...eventHead,
  generation: Schema.Int,
  protocolName: Schema.NullOr(Schema.String),
  leader: MemberId
}) {}
/** The joining is over, and the group has no members. */
export class GroupEmptied extends Schema.TaggedClass<GroupEmptied>()("GroupEmptied", { ...eventHead, generation: Schema.Int }) {}
/** A member asked for its assignment. */
export class MemberSynced extends Schema.TaggedClass<MemberSynced>()("MemberSynced", { ...eventHead, memberId: MemberId, generation: Schema.Int }) {}
/** The leader of the generation gave every member its assignment. A member that is not named has none. */
export class AssignmentsSet extends Schema.TaggedClass<AssignmentsSet>()("AssignmentsSet", {
  ...eventHead,
  generation: Schema.Int,
  assignments: Schema.Array(Schema.Struct({ memberId: MemberId, assignment: Schema.Uint8ArrayFromBase64 }))
}) {}

export type ClassicEvent =
  | MemberReserved
  | MemberJoined
  | MemberRejoined
  | MemberReplaced
  | MemberRemoved
  | RebalanceStarted
  | RebalanceExtended
  | GenerationStarted
  | GroupEmptied
  | MemberSynced
  | AssignmentsSet
