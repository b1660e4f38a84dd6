import { HashMap, Option } from "effect"
import type { CommandOf } from "../command.ts"
import { MemberRemoved } from "../event.ts"
import type { MemberId } from "../id.ts"
import type { Limits } from "../limits.ts"
import { type Decision, nothing, Plan, rejected } from "../plan.ts"
import { type Group, identityError, member, type Span } from "../state.ts"
import { afterRemoval, endRoundIfComplete } from "./rebalance.ts"

/** Whether the member may go on as it is: no event, or why it must do something else. Allowed or REBALANCE_IN_PROGRESS, it was heard. */
export const heartbeat = (group: Group, { groupId, memberId, instanceId, generation }: CommandOf<"Heartbeat">): Decision => {
  const error = identityError(group, memberId, instanceId)
  if (error !== null) return rejected(error, `'${memberId}' is not in group '${groupId}'.`)
  if (generation !== group.generation) return rejected("ILLEGAL_GENERATION", `Group '${groupId}' is at generation ${group.generation}, not ${generation}.`)
  if (group.phase === "PreparingRebalance") return rejected("REBALANCE_IN_PROGRESS", `Group '${groupId}' rebalances: join again.`)
  return nothing
}

/**
 * How long nothing may be heard of a member before `ExpireMember` removes it, ms. Null: it cannot expire, since it waits for an answer of ours (a round that
 * it has joined, an assignment that it has asked for) and need not heartbeat meanwhile; or there is no such member.
 * A member in its first round cannot heartbeat at all, and is kept for `newMemberJoinTimeoutMs`, so that clients that gave up do not fill the group.
 */
export const silenceMaxMs = (limits: Limits, group: Group, memberId: MemberId): number | null => {
  const pending = Option.getOrUndefined(HashMap.get(group.pending, memberId))
  if (pending !== undefined) return pending.sessionTimeoutMs
  const known = member(group, memberId)
  if (known === undefined) return null
  if (known.isNew) return limits.newMemberJoinTimeoutMs
  if (known.joined || (known.synced && group.phase === "CompletingRebalance")) return null
  return known.sessionTimeoutMs
}

/**
 * When a member's session is over (ms since the epoch) if nothing is heard of it after `heardAt`; null as in `silenceMaxMs`. It had no need to be heard while
 * it waited for us, so nothing counts from before it was answered, or from before its id was given to it. A leader that took the group over has heard
 * everybody at that moment: members could not reach it before.
 */
export const sessionEnd = (limits: Limits, group: Group, memberId: MemberId, heardAt: number): number | null => {
  const silenceMs = silenceMaxMs(limits, group, memberId)
  if (silenceMs === null) return null
  const from = Option.match(HashMap.get(group.pending, memberId), { onNone: () => group.answeredAt, onSome: ({ reservedAt }) => reservedAt })
  return Math.max(heardAt, from) + silenceMs
}

/** A silent member is out. Nothing happens when it is gone, waits for us, or was heard after all. */
export const expireMember = (limits: Limits, group: Group, { groupId, at, memberId, heardAt }: CommandOf<"ExpireMember">): Decision => {
  const end = sessionEnd(limits, group, memberId, heardAt)
  if (end === null || at < end) return nothing
  const known = member(group, memberId)
  const plan = new Plan(group)
  plan.happen(new MemberRemoved({ groupId, at, memberId, instanceId: known?.instanceId ?? null, reason: "session expired" }, true))
  if (known === undefined) endRoundIfComplete(plan, { groupId, at })
  else afterRemoval(limits, plan, { groupId, at }, `member ${memberId} was silent until the end of its session`)
  return plan.decision
}

/** What the group itself waits for, and until when (ms since the epoch): the command to give it then. */
export type PhaseDeadline =
  | { readonly _tag: "CompleteJoin"; readonly at: number }
  | { readonly _tag: "ExpireSync"; readonly at: number; readonly generation: number }

/**
 * When the open round, or the wait for SyncGroup, must end. `resumedAt` is when this leader took the group over: members could not reach it before that, so
 * no time counts that lies before it. Null: nothing is waited for.
 */
export const phaseDeadline = (group: Group, resumedAt: number): PhaseDeadline | null => {
  const { wait, phase, generation } = group
  if (wait === null) return null
  const at = endOf(wait, resumedAt)
  return phase === "PreparingRebalance" ? { _tag: "CompleteJoin", at } : { _tag: "ExpireSync", at, generation }
}

const endOf = ({ startedAt, lastsMs }: Span, resumedAt: number): number => Math.max(startedAt, resumedAt) + lastsMs

/** Everybody whose silence counts, those that were only given an id included: what the leader keeps "last heard" of. */
export const watched = (group: Group): ReadonlyArray<MemberId> => [...HashMap.keys(group.members), ...HashMap.keys(group.pending)]
