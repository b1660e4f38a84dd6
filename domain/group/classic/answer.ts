import { Data, HashMap } from "effect"
import type { KafkaError } from "../../kernel/error-code.ts"
import type { MemberId } from "../id.ts"
import { type Group, identityError, member, sortedMembers } from "../state.ts"
import { metadataOf } from "./member.ts"

/** What a JoinGroup is told. */
export type JoinAnswer = Data.TaggedEnum<{
  /** The round is open: ask again after the group's next event. */
  Wait: {}
  /** The member was given an id and must join with it. */
  MemberIdRequired: { readonly memberId: MemberId }
  Refused: { readonly error: KafkaError }
  Joined: {
    readonly generation: number
    readonly protocolType: string | null
    readonly protocolName: string | null
    readonly leader: MemberId
    readonly memberId: MemberId
    /** JoinGroup 9 (KIP-814): a leader that came back under a new id must not assign anew. */
    readonly skipAssignment: boolean
    /** Everybody's metadata, for the leader alone. */
    readonly members: ReadonlyArray<{ readonly memberId: MemberId; readonly instanceId: string | null; readonly metadata: Uint8Array }>
  }
}>
export const JoinAnswer = Data.taggedEnum<JoinAnswer>()

const everybody = (group: Group) =>
  sortedMembers(group).map((each) => ({ memberId: each.memberId, instanceId: each.instanceId, metadata: metadataOf(each, group.protocolName) }))

/**
 * What the member that joined is told, as the group stands. `memberId` is the id it came with, or the one drawn for it.
 * Look after each event that may concern it, before the next command is decided: then a generation that is over at once is still seen.
 */
export const joinAnswer = (group: Group, memberId: MemberId, instanceId: string | null): JoinAnswer => {
  if (HashMap.has(group.pending, memberId)) return JoinAnswer.MemberIdRequired({ memberId })
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return JoinAnswer.Refused({ error })
  if (group.phase === "PreparingRebalance") {
    return member(group, memberId)?.joined === true ? JoinAnswer.Wait() : JoinAnswer.Refused({ error: "REBALANCE_IN_PROGRESS" })
  }
  const { generation, protocolType, protocolName, leader } = group
  const members = leader === memberId ? everybody(group) : []
  return JoinAnswer.Joined({ generation, protocolType, protocolName, leader: leader ?? memberId, memberId, skipAssignment: false, members })
}

/**
 * What a static member is told that took its place over in a stable group, without a rebalance. A client before JoinGroup 9 would assign anew if it were told
 * that it leads: it is told that its old self still does.
 */
export const replacedAnswer = (group: Group, memberId: MemberId, replacedId: MemberId, canSkipAssignment: boolean): JoinAnswer => {
  const { generation, protocolType, protocolName, leader } = group
  const leads = leader === memberId
  const told = leads && !canSkipAssignment ? replacedId : (leader ?? memberId)
  const skipAssignment = leads && canSkipAssignment
  return JoinAnswer.Joined({ generation, protocolType, protocolName, leader: told, memberId, skipAssignment, members: skipAssignment ? everybody(group) : [] })
}

/** What a SyncGroup is told. */
export type SyncAnswer = Data.TaggedEnum<{
  /** The leader has not assigned yet: ask again after the group's next event. */
  Wait: {}
  Refused: { readonly error: KafkaError }
  Assigned: { readonly protocolType: string | null; readonly protocolName: string | null; readonly assignment: Uint8Array }
}>
export const SyncAnswer = Data.taggedEnum<SyncAnswer>()

/** What the member that asked for its assignment in `generation` is told, as the group stands. */
export const syncAnswer = (group: Group, memberId: MemberId, instanceId: string | null, generation: number): SyncAnswer => {
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return SyncAnswer.Refused({ error })
  if (group.generation !== generation || group.phase === "PreparingRebalance") return SyncAnswer.Refused({ error: "REBALANCE_IN_PROGRESS" })
  const known = member(group, memberId)
  if (group.phase !== "Stable" || known === undefined) return SyncAnswer.Wait()
  return SyncAnswer.Assigned({ protocolType: group.protocolType, protocolName: group.protocolName, assignment: known.assignment })
}
