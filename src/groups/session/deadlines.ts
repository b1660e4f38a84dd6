import { phaseDeadline, sessionEnd, watched } from "../../../domain/group/classic/session.ts"
import { Command } from "../../../domain/group/command.ts"
import type { Event } from "../../../domain/group/event.ts"
import { type Groups, groupOf } from "../../../domain/group/groups.ts"
import type { GroupId } from "../../../domain/group/id.ts"
import type { Limits } from "../../../domain/group/limits.ts"
import type { Group } from "../../../domain/group/state.ts"
import type { GroupFollower, GroupsChange } from "../follower.ts"
import type { LastHeartbeats } from "./last-heartbeat.ts"

/** How long after a command that changed nothing (the disk is full) the same command is due again, ms. */
const retryMs = 500

/** Whether an event can change when a session, a rebalance or the wait for SyncGroup ends. */
const changesDeadlines: { readonly [Tag in Event["_tag"]]: boolean } = {
  GroupCreated: true,
  MemberReserved: true,
  MemberJoined: true,
  MemberRejoined: true,
  MemberReplaced: true,
  MemberRemoved: true,
  RebalanceStarted: true,
  RebalanceExtended: true,
  GenerationStarted: true,
  GroupEmptied: true,
  MemberSynced: true,
  AssignmentsSet: true,
  OffsetsCommitted: false,
  OffsetsRemoved: false,
  GroupDeleted: true
}

/**
 * When sessions, rebalances and waits of the groups in one stream end. For each group the earliest moment at which a session could end is kept: a heartbeat only postpones it, so a group with
 * nothing due costs one comparison a look. A rebalance, or the wait for SyncGroup, ends at a moment that is known exactly.
 */
export class Deadlines implements GroupFollower {
  private readonly sessions = new Map<GroupId, number>()
  private readonly phases = new Map<GroupId, number>()

  constructor(
    private readonly limits: Limits,
    private readonly lastHeartbeats: LastHeartbeats,
    private readonly groups: () => Groups,
    /** Called with the next end of a rebalance or a wait, after each change. */
    private readonly onChange: (next: number) => void
  ) {
    for (const [groupId, group] of groups()) this.change(groupId, group)
  }

  follow({ events, state }: GroupsChange): void {
    const changed = new Set<GroupId>()
    for (const event of events) if (changesDeadlines[event._tag]) changed.add(event.groupId)
    if (changed.size === 0) return
    for (const groupId of changed) this.change(groupId, groupOf(state, groupId))
    this.onChange(this.next)
  }

  /** The earliest time at which a session can end: 0 where that is to be worked out by `dueSessions`, infinity without members. Heartbeats make it later. */
  get nextSession(): number {
    let next = Number.POSITIVE_INFINITY
    for (const at of this.sessions.values()) next = Math.min(next, at)
    return next
  }

  /** When the next rebalance or wait ends; infinity without one. */
  get next(): number {
    let next = Number.POSITIVE_INFINITY
    for (const at of this.phases.values()) next = Math.min(next, at)
    return next
  }

  /** The commands for rebalances and waits that are over. */
  duePhases(now: number): ReadonlyArray<Command> {
    const commands: Array<Command> = []
    for (const [groupId, at] of this.phases) {
      if (at > now) continue
      const deadline = phaseDeadline(groupOf(this.groups(), groupId), this.lastHeartbeats.resumedAt)
      if (deadline === null) this.phases.delete(groupId)
      else if (deadline.at > now) this.phases.set(groupId, deadline.at)
      else {
        // The events of the command set the deadline anew; without events the command is due again a little later.
        this.phases.set(groupId, now + retryMs)
        const { _tag } = deadline
        commands.push(
          _tag === "CompleteJoin" ? Command.CompleteJoin({ groupId, at: now }) : Command.ExpireSync({ groupId, at: now, generation: deadline.generation })
        )
      }
    }
    return commands
  }

  /** The commands for sessions that are over. */
  dueSessions(now: number): ReadonlyArray<Command> {
    const commands: Array<Command> = []
    for (const [groupId, earliest] of this.sessions) {
      if (earliest > now) continue
      const group = groupOf(this.groups(), groupId)
      let next = Number.POSITIVE_INFINITY
      for (const memberId of watched(group)) {
        const heardAt = this.lastHeartbeats.at(groupId, memberId)
        const end = sessionEnd(this.limits, group, memberId, heardAt)
        if (end !== null && end <= now) commands.push(Command.ExpireMember({ groupId, at: now, memberId, heardAt }))
        next = Math.min(next, end === null ? Number.POSITIVE_INFINITY : end <= now ? now + retryMs : end)
      }
      this.sessions.set(groupId, next)
    }
    return commands
  }

  private change(groupId: GroupId, group: Group): void {
    if (group.phase === "Dead") {
      this.sessions.delete(groupId)
      this.phases.delete(groupId)
      return
    }
    // Worked out at the next look, once for all changes until then.
    this.sessions.set(groupId, 0)
    const deadline = phaseDeadline(group, this.lastHeartbeats.resumedAt)
    if (deadline === null) this.phases.delete(groupId)
    else this.phases.set(groupId, deadline.at)
  }
}
