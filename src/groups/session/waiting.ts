import { Effect } from "effect"
import type { Event } from "../../../domain/group/event.ts"
import { evolve } from "../../../domain/group/evolve.ts"
import { type Groups, groupOf } from "../../../domain/group/groups.ts"
import type { GroupId, MemberId } from "../../../domain/group/id.ts"
import type { Group } from "../../../domain/group/state.ts"
import type { Rejection } from "../../../domain/kernel/error-code.ts"
import { type EventTable, lookUp } from "../../stream/event-table.ts"
import type { GroupFollower, GroupsChange } from "../follower.ts"

/** A request that waits. */
interface WaitingRequest {
  readonly memberId: MemberId
  /** Answers the request if the group says what the answer is; returns whether it does. */
  readonly look: (group: Group) => boolean
  readonly fail: (rejection: Rejection) => void
}

/** The member whose request an event can answer; "all" for every request that waits for the group. */
const answered: EventTable<Event, MemberId | "all" | undefined> = {
  GroupCreated: () => undefined,
  MemberReserved: () => undefined,
  MemberJoined: () => undefined,
  MemberRejoined: () => undefined,
  MemberReplaced: ({ replacedId }) => replacedId,
  MemberRemoved: ({ memberId }) => memberId,
  RebalanceStarted: () => "all",
  RebalanceExtended: () => undefined,
  GenerationStarted: () => "all",
  GroupEmptied: () => "all",
  MemberSynced: () => undefined,
  AssignmentsSet: () => "all",
  OffsetsCommitted: () => undefined,
  OffsetsRemoved: () => undefined,
  GroupDeleted: () => "all"
}

/**
 * The requests of members that wait for their group: a JoinGroup for the end of the rebalance, a SyncGroup for the assignment. Their number is bounded, since a connection has one request that
 * waits.
 */
export class Waiting implements GroupFollower {
  private readonly byGroup = new Map<GroupId, Set<WaitingRequest>>()
  private seen: Groups
  private closed: Rejection | undefined

  constructor(private readonly groups: () => Groups) {
    this.seen = groups()
  }

  /** Waits until `look` returns an answer for the member: looks at once, and then at the group as it was after each event. Fails when the stream is closed. */
  until<A>(groupId: GroupId, memberId: MemberId, look: (group: Group) => A | undefined): Effect.Effect<A, Rejection> {
    return Effect.async<A, Rejection>((resume) => {
      const now = look(groupOf(this.groups(), groupId))
      if (now !== undefined) return resume(Effect.succeed(now))
      if (this.closed !== undefined) return resume(Effect.fail(this.closed))
      const request: WaitingRequest = {
        memberId,
        look: (group) => {
          const found = look(group)
          if (found !== undefined) resume(Effect.succeed(found))
          return found !== undefined
        },
        fail: (rejection) => resume(Effect.fail(rejection))
      }
      this.add(groupId, request)
      return Effect.sync(() => this.remove(groupId, request))
    })
  }

  /** Fails every request that waits, and every later one. */
  close(rejection: Rejection): void {
    this.closed = rejection
    const requests = [...this.byGroup.values()].flatMap((waiting) => [...waiting])
    this.byGroup.clear()
    for (const { fail } of requests) fail(rejection)
  }

  /**
   * One change may hold the events of many commands: a generation starts, and the next rebalance begins. The requests that waited before see the group after each event, so that no member
   * misses a generation that was soon over.
   */
  follow({ events, state }: GroupsChange): void {
    const groups = new Map<GroupId, Group>()
    for (const event of this.byGroup.size === 0 ? [] : events) {
      const { groupId } = event
      const waiting = this.byGroup.get(groupId)
      if (waiting === undefined) continue
      const group = evolve(groups.get(groupId) ?? groupOf(this.seen, groupId), event)
      groups.set(groupId, group)
      const member = lookUp(answered, event)
      if (member === undefined) continue
      for (const request of waiting) if ((member === "all" || member === request.memberId) && request.look(group)) this.remove(groupId, request)
    }
    this.seen = state
  }

  private add(groupId: GroupId, request: WaitingRequest): void {
    const waiting = this.byGroup.get(groupId)
    if (waiting === undefined) this.byGroup.set(groupId, new Set([request]))
    else waiting.add(request)
  }
  private remove(groupId: GroupId, request: WaitingRequest): void {
    const waiting = this.byGroup.get(groupId)
    waiting?.delete(request)
    if (waiting?.size === 0) this.byGroup.delete(groupId)
  }
}
