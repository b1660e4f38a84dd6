import { HashMap, Option } from "effect"
import type { CommandOf } from "../command.ts"
import type { MemberId } from "../id.ts"
import type { Limits } from "../limits.ts"
import { type Decision, nothing, Plan, rejected } from "../plan.ts"
import { MemberRemoved } from "./event.ts"
import { afterRemoval, completeIfAllJoined } from "./rebalance.ts"
import { type ClassicGroup, identityError, member, type Span } from "./state.ts"

/**
 * Accepts a heartbeat without an event, or rejects it with what the member must do. Accepted or REBALANCE_IN_PROGRESS,
 * its session continues.
 */
export const heartbeat = (group: ClassicGroup, { groupId, memberId, instanceId, generation }: CommandOf<"Heartbeat">): Decision => {
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return rejected(error, `'${memberId}' is not in group '${groupId}'.`)
  if (generation !== group.generation) return rejected("ILLEGAL_GENERATION", `Group '${groupId}' is at generation ${group.generation}, not ${generation}.`)
  if (group.phase === "PreparingRebalance") return rejected("REBALANCE_IN_PROGRESS", `Group '${groupId}' rebalances: join again.`)
  return nothing
}

/**
 * Returns how long a member may be silent before `ExpireMember` removes it, ms. Null: its session cannot end, since it
 * waits for the coordinator (for the end of a rebalance that it has joined, for an assignment that it has asked for)
 * and need not heartbeat meanwhile; or there is no such member. A member in its first rebalance cannot heartbeat at
 * all: it is kept for `newMemberJoinTimeoutMs`, so that clients that gave up do not fill the group.
 */
export const silenceMaxMs = (limits: Limits, group: ClassicGroup, memberId: MemberId): number | null => {
  const pending = Option.getOrUndefined(HashMap.get(group.pending, memberId))
  if (pending !== undefined) return pending.sessionTimeoutMs
  const known = member(group, memberId)
  if (known === undefined) return null
  if (known.isNew) return limits.newMemberJoinTimeoutMs
  if (known.joined || (known.synced && group.phase === "CompletingRebalance")) return null
  return known.sessionTimeoutMs
}

/**
 * Returns when the session of a member ends (ms since the epoch) if its last heartbeat is at `heardAt`; null as in
 * `silenceMaxMs`. No time counts during which the member waited for the coordinator, nor before its id was given to it.
 * A coordinator that took the group over counts from that time: members could not reach it before.
 */
export const sessionEnd = (limits: Limits, group: ClassicGroup, memberId: MemberId, heardAt: number): number | null => {
  const silenceMs = silenceMaxMs(limits, group, memberId)
  if (silenceMs === null) return null
  const from = Option.match(HashMap.get(group.pending, memberId), { onNone: () => group.answeredAt, onSome: ({ reservedAt }) => reservedAt })
  return Math.max(heardAt, from) + silenceMs
}

/**
 * Removes a silent member. No event where it is not in the group, waits for the coordinator, or has sent a heartbeat
 * since.
 */
export const expireMember = (limits: Limits, group: ClassicGroup, { groupId, at, memberId, heardAt }: CommandOf<"ExpireMember">): Decision => {
  const end = sessionEnd(limits, group, memberId, heardAt)
  if (end === null || at < end) return nothing
  const known = member(group, memberId)
  const plan = new Plan(group)
  plan.emit(new MemberRemoved({ groupId, at, memberId, instanceId: known?.instanceId ?? null, reason: "session expired" }, true))
  if (known === undefined) completeIfAllJoined(plan, { groupId, at })
  else afterRemoval(limits, plan, { groupId, at }, `member ${memberId} was silent until the end of its session`)
  return plan.decision
}

/** What the group waits for, and until when (ms since the epoch): the command that is due then. */
type PhaseDeadline = { readonly _tag: "CompleteJoin"; readonly at: number } | { readonly _tag: "ExpireSync"; readonly at: number; readonly generation: number }

/**
 * Returns when the joining, or the wait for SyncGroup, must end; null where the group waits for neither. `resumedAt` is
 * when this coordinator took the group over: members could not reach it before, so that no earlier time counts.
 */
export const phaseDeadline = (group: ClassicGroup, resumedAt: number): PhaseDeadline | null => {
  const { wait, phase, generation } = group
  if (wait === null) return null
  const at = endOf(wait, resumedAt)
  return phase === "PreparingRebalance" ? { _tag: "CompleteJoin", at } : { _tag: "ExpireSync", at, generation }
}

const endOf = ({ startedAt, lastsMs }: Span, resumedAt: number): number => Math.max(startedAt, resumedAt) + lastsMs

/**
 * Returns all ids whose sessions can end: of members, and those that were given out and are not used yet. The
 * coordinator keeps the last heartbeat of each.
 */
export const watched = (group: ClassicGroup): ReadonlyArray<MemberId> => [...HashMap.keys(group.members), ...HashMap.keys(group.pending)]
