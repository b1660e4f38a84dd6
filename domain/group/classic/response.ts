import { Data, HashMap } from "effect"
import type { KafkaError } from "../../kernel/error-code.ts"
import type { MemberId } from "../id.ts"
import { metadataOf } from "./member.ts"
import { type ClassicGroup, identityError, member, sortedMembers } from "./state.ts"

/** The response to a JoinGroup, as the group has it now. */
export type JoinResponse = Data.TaggedEnum<{
  /** The rebalance is in progress: look again after the next event of the group. */
  Wait: {}
  /** The member was given an id, and must join with it. */
  MemberIdRequired: { readonly memberId: MemberId }
  Refused: { readonly error: KafkaError }
  Joined: {
    readonly generation: number
    readonly protocolType: string | null
    readonly protocolName: string | null
    readonly leader: MemberId
    readonly memberId: MemberId
    /** JoinGroup 9 (KIP-814): a static leader that restarted under a new id must not assign anew. */
    readonly skipAssignment: boolean
    /** The metadata of every member, for the leader alone. */
    readonly members: ReadonlyArray<{ readonly memberId: MemberId; readonly instanceId: string | null; readonly metadata: Uint8Array }>
  }
}>
export const JoinResponse = Data.taggedEnum<JoinResponse>()

const everyMember = (group: ClassicGroup) =>
  sortedMembers(group).map((each) => ({ memberId: each.memberId, instanceId: each.instanceId, metadata: metadataOf(each, group.protocolName) }))

/**
 * Returns the response for the member that joined, from the group as it is. `memberId` is the id that the client sent,
 * or the one that was drawn for it. Look after each event that may concern the member, before the next command is
 * decided: then a generation that ends immediately is seen too.
 */
export const joinResponse = (group: ClassicGroup, memberId: MemberId, instanceId: string | null): JoinResponse => {
  if (HashMap.has(group.pending, memberId)) return JoinResponse.MemberIdRequired({ memberId })
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return JoinResponse.Refused({ error })
  if (group.phase === "PreparingRebalance") {
    return member(group, memberId)?.joined === true ? JoinResponse.Wait() : JoinResponse.Refused({ error: "REBALANCE_IN_PROGRESS" })
  }
  const { generation, protocolType, protocolName, leader } = group
  const members = leader === memberId ? everyMember(group) : []
  return JoinResponse.Joined({ generation, protocolType, protocolName, leader: leader ?? memberId, memberId, skipAssignment: false, members })
}

/**
 * Returns the response for a static member that restarted in a stable group, without a rebalance. A client before
 * JoinGroup 9 would assign anew if the response named it as the leader: the response names its replaced id instead.
 */
export const replacedResponse = (group: ClassicGroup, memberId: MemberId, replacedId: MemberId, canSkipAssignment: boolean): JoinResponse => {
  const { generation, protocolType, protocolName, leader } = group
  const leads = leader === memberId
  const named = leads && !canSkipAssignment ? replacedId : (leader ?? memberId)
  const skipAssignment = leads && canSkipAssignment
  const members = skipAssignment ? everyMember(group) : []
  return JoinResponse.Joined({ generation, protocolType, protocolName, leader: named, memberId, skipAssignment, members })
}

/** The response to a SyncGroup, as the group has it now. */
export type SyncResponse = Data.TaggedEnum<{
  /** The leader has not assigned yet: look again after the next event of the group. */
  Wait: {}
  Refused: { readonly error: KafkaError }
  Assigned: { readonly protocolType: string | null; readonly protocolName: string | null; readonly assignment: Uint8Array }
}>
export const SyncResponse = Data.taggedEnum<SyncResponse>()

/** Returns the response for the member that asked for its assignment in `generation`, from the group as it is. */
export const syncResponse = (group: ClassicGroup, memberId: MemberId, instanceId: string | null, generation: number): SyncResponse => {
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return SyncResponse.Refused({ error })
  if (group.generation !== generation || group.phase === "PreparingRebalance") return SyncResponse.Refused({ error: "REBALANCE_IN_PROGRESS" })
  const known = member(group, memberId)
  if (group.phase !== "Stable" || known === undefined) return SyncResponse.Wait()
  return SyncResponse.Assigned({ protocolType: group.protocolType, protocolName: group.protocolName, assignment: known.assignment })
}
