import type { Event } from "../../../domain/group/event.ts"
import type { GroupId, MemberId } from "../../../domain/group/id.ts"

/**
 * When each member was last heard of, ms since 1970. Not journalled: a leader that took the groups over has heard everybody at that moment, since members
 * could not reach it before.
 */
export class Heard {
  private readonly byGroup = new Map<GroupId, Map<MemberId, number>>()

  constructor(private since: number) {}

  /** Since when this leader hears anybody. */
  get resumedAt(): number {
    return this.since
  }
  /** The leader itself was stopped until now: everybody's silence was its own. */
  resume(at: number): void {
    this.since = at
  }

  note(groupId: GroupId, memberId: MemberId, at: number): void {
    const group = this.byGroup.get(groupId)
    if (group === undefined) this.byGroup.set(groupId, new Map([[memberId, at]]))
    else group.set(memberId, at)
  }
  at(groupId: GroupId, memberId: MemberId): number {
    return Math.max(this.since, this.byGroup.get(groupId)?.get(memberId) ?? 0)
  }

  /** Members that are gone are forgotten. */
  follow(event: Event): void {
    switch (event._tag) {
      case "MemberRemoved":
        return this.forget(event.groupId, event.memberId)
      case "MemberReplaced":
        return this.forget(event.groupId, event.replacedId)
      case "GroupEmptied":
      case "GroupDeleted":
        this.byGroup.delete(event.groupId)
    }
  }
  private forget(groupId: GroupId, memberId: MemberId): void {
    const group = this.byGroup.get(groupId)
    group?.delete(memberId)
    if (group?.size === 0) this.byGroup.delete(groupId)
  }
}
