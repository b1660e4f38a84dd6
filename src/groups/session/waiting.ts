import { Effect } from "effect"
import type { Event } from "../../../domain/group/event.ts"
import { evolve } from "../../../domain/group/evolve.ts"
import { type Groups, groupOf } from "../../../domain/group/groups.ts"
import type { GroupId, MemberId } from "../../../domain/group/id.ts"
import type { Group } from "../../../domain/group/state.ts"
import type { Change } from "../../stream/writer.ts"
import type { GroupsWriter } from "../groups-aggregate.ts"

/** One request that waits. */
interface Waiter {
  readonly memberId: MemberId
  /** Whether it has its answer now. */
  readonly look: (group: Group) => boolean
}

/** Whom an event can bring an answer: everybody who waits in the group, one member, or nobody. */
const concerns = (event: Event): "all" | MemberId | undefined => {
  switch (event._tag) {
    case "RebalanceStarted":
    case "GenerationStarted":
    case "AssignmentsSet":
    case "GroupEmptied":
    case "GroupDeleted":
      return "all"
    case "MemberRemoved":
      return event.memberId
    case "MemberReplaced":
      return event.replacedId
    default:
      return undefined
  }
}

/**
 * The requests of members that wait for their group: a JoinGroup for the end of the round, a SyncGroup for the assignment. Each of them is bounded by the
 * connection that it came on.
 */
export class Waiting {
  private readonly byGroup = new Map<GroupId, Set<Waiter>>()
  private seen: Groups

  constructor(private readonly writer: GroupsWriter) {
    this.seen = writer.state()
    writer.onChange((change) => this.follow(change))
  }

  /** Waits until `look` finds an answer for the member: looks at once, and then at the group as it was after each event. */
  until<A>(groupId: GroupId, memberId: MemberId, look: (group: Group) => A | undefined): Effect.Effect<A> {
    return Effect.async<A>((resume) => {
      const now = look(groupOf(this.writer.state(), groupId))
      if (now !== undefined) return resume(Effect.succeed(now))
      const waiter: Waiter = {
        memberId,
        look: (group) => {
          const found = look(group)
          if (found !== undefined) resume(Effect.succeed(found))
          return found !== undefined
        }
      }
      this.add(groupId, waiter)
      return Effect.sync(() => this.remove(groupId, waiter))
    })
  }

  /**
   * One change may hold the events of many commands: a generation starts, and the next round begins. Those that waited before see the group after each
   * event, so that nobody misses a generation which was soon over.
   */
  private follow({ events, state }: Change<Groups, Event>): void {
    const groups = new Map<GroupId, Group>()
    for (const event of this.byGroup.size === 0 ? [] : events) {
      const { groupId } = event
      const waiters = this.byGroup.get(groupId)
      if (waiters === undefined) continue
      const group = evolve(groups.get(groupId) ?? groupOf(this.seen, groupId), event)
      groups.set(groupId, group)
      const whom = concerns(event)
      if (whom === undefined) continue
      for (const waiter of waiters) if ((whom === "all" || whom === waiter.memberId) && waiter.look(group)) this.remove(groupId, waiter)
    }
    this.seen = state
  }

  private add(groupId: GroupId, waiter: Waiter): void {
    const waiters = this.byGroup.get(groupId)
    if (waiters === undefined) this.byGroup.set(groupId, new Set([waiter]))
    else waiters.add(waiter)
  }
  private remove(groupId: GroupId, waiter: Waiter): void {
    const waiters = this.byGroup.get(groupId)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.byGroup.delete(groupId)
  }
}
