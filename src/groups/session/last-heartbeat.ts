import type { Event } from "../../../domain/group/event.ts"
import type { GroupId, MemberId } from "../../../domain/group/id.ts"
import { type EventTable, lookUp } from "../../stream/event-table.ts"
import type { GroupFollower, GroupsChange } from "../follower.ts"

/** The member that is no longer in its group after an event, "all" for every member of the group. */
const removed: EventTable<Event, MemberId | "all" | undefined> = {
  GroupCreated: () => undefined,
  MemberReserved: () => undefined,
  MemberJoined: () => undefined,
  MemberRejoined: () => undefined,
  MemberReplaced: ({ replacedId }) => replacedId,
  MemberRemoved: ({ memberId }) => memberId,
  RebalanceStarted: () => undefined,
  RebalanceExtended: () => undefined,
  GenerationStarted: () => undefined,
  GroupEmptied: () => "all",
  MemberSynced: () => undefined,
  AssignmentsSet: () => undefined,
  OffsetsCommitted: () => undefined,
  OffsetsRemoved: () => undefined,
  GroupDeleted: () => "all"
}

/**
 * The last heartbeat of each member of the groups in one stream, ms since 1970; any request of a member counts as a heartbeat. It is not journalled: for a coordinator that opens the stream,
 * every member's last heartbeat is that moment, since members could not reach it before.
 */
export class LastHeartbeats implements GroupFollower {
  private readonly byGroup = new Map<GroupId, Map<MemberId, number>>()

  constructor(private since: number) {}

  /** Since when the coordinator receives heartbeats. */
  get resumedAt(): number {
    return this.since
  }
  /** The coordinator itself was stopped until `at`: no member is silent for that time. */
  resume(at: number): void {
    this.since = at
  }

  record(groupId: GroupId, memberId: MemberId, at: number): void {
    const group = this.byGroup.get(groupId)
    if (group === undefined) this.byGroup.set(groupId, new Map([[memberId, at]]))
    else group.set(memberId, at)
  }
  at(groupId: GroupId, memberId: MemberId): number {
    return Math.max(this.since, this.byGroup.get(groupId)?.get(memberId) ?? 0)
  }

  /** Forgets members that have left. */
  follow({ events }: GroupsChange): void {
    for (const event of events) {
      const member = lookUp(removed, event)
      if (member === "all") this.byGroup.delete(event.groupId)
      else if (member !== undefined) this.forget(event.groupId, member)
    }
  }
  private forget(groupId: GroupId, memberId: MemberId): void {
    const group = this.byGroup.get(groupId)
    group?.delete(memberId)
    if (group?.size === 0) this.byGroup.delete(groupId)
  }
}
