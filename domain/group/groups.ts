import { Either, HashMap, Option, Schema } from "effect"
import { type Decider, fold } from "../kernel/decider.ts"
import type { Rejection } from "../kernel/error-code.ts"
import { type Load, mayGrow, noLoad, withinCapacity } from "./capacity.ts"
import type { Command } from "./command.ts"
import { decideUnbounded } from "./decide.ts"
import type { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import type { GroupId } from "./id.ts"
import type { Limits } from "./limits.ts"
import { groupBytes } from "./size.ts"
import { fromSnapshot, Snapshot, toSnapshot } from "./snapshot.ts"
import { type Group, initial } from "./state.ts"

/**
 * The groups of one stream of the journal. Each is an aggregate: every command and event names its group. Immutable.
 */
export class Groups implements Iterable<[GroupId, Group]> {
  private constructor(
    private readonly byId: HashMap.HashMap<GroupId, Group>,
    /** Bytes of all of them (`size.ts`). */
    readonly bytes: number
  ) {}

  static readonly none = new Groups(HashMap.empty(), 0)
  static of(groups: ReadonlyArray<Group>): Groups {
    const byId = HashMap.fromIterable(groups.map((group): [GroupId, Group] => [group.groupId, group]))
    return new Groups(
      byId,
      groups.reduce((sum, group) => sum + groupBytes(group), 0)
    )
  }

  get load(): Load {
    return { groups: HashMap.size(this.byId), bytes: this.bytes }
  }
  /** Returns the group; `initial`, in the phase Dead, where it does not exist. */
  get(groupId: GroupId): Group {
    return Option.getOrElse(HashMap.get(this.byId, groupId), () => initial)
  }
  /** Returns the groups with this one as it is now, or without it where it is Dead. */
  with(groupId: GroupId, group: Group): Groups {
    const bytes = this.bytes - groupBytes(this.get(groupId)) + groupBytes(group)
    return new Groups(group.phase === "Dead" ? HashMap.remove(this.byId, groupId) : HashMap.set(this.byId, groupId, group), bytes)
  }
  values(): Iterable<Group> {
    return HashMap.values(this.byId)
  }
  [Symbol.iterator](): Iterator<[GroupId, Group]> {
    return this.byId[Symbol.iterator]()
  }
}

export const noGroups: Groups = Groups.none

/** Returns a group; `initial`, in the phase Dead, where it does not exist. */
export const groupOf = (groups: Groups, groupId: GroupId): Group => groups.get(groupId)

const evolveGroups = (groups: Groups, event: Event): Groups => groups.with(event.groupId, evolve(groups.get(event.groupId), event))

/**
 * The aggregates of one stream as one decider. `elsewhere` is what the node holds in its other streams, which counts
 * too.
 */
export const groupsDecider = (limits: Limits, elsewhere: () => Load = () => noLoad): Decider<Groups, Command, Event, Rejection> => {
  return {
    initial: noGroups,
    decide: (groups, command) => {
      const before = groups.get(command.groupId)
      const decision = decideUnbounded(limits, before, command)
      if (!mayGrow(command) || Either.isLeft(decision)) return decision
      const [here, there] = [groups.load, elsewhere()]
      const all = { groups: here.groups + there.groups, bytes: here.bytes + there.bytes }
      return withinCapacity(limits, all, before, command, decision, fold(evolve, before, decision.right))
    },
    evolve: evolveGroups
  }
}

/** All groups of a stream, for a snapshot; equal states have equal snapshots. */
const GroupsSnapshot = Schema.Struct({ v: Schema.Literal(1), groups: Schema.Array(Snapshot) })

const GroupsSelf: Schema.Schema<Groups> = Schema.declare((input: unknown): input is Groups => input instanceof Groups)
/** The state of a stream as JSON. */
export const GroupsState: Schema.Schema<Groups, typeof GroupsSnapshot.Encoded> = Schema.transform(GroupsSnapshot, GroupsSelf, {
  strict: true,
  decode: ({ groups }) => Groups.of(groups.map(fromSnapshot)),
  encode: (groups) => ({ v: 1 as const, groups: sortedGroups(groups).map(toSnapshot) })
})

/** Groups in the order of their ids. */
export const sortedGroups = (groups: Groups): ReadonlyArray<Group> => Array.from(groups, ([, group]) => group).sort((a, b) => (a.groupId < b.groupId ? -1 : 1))

/**
 * Returns the stream of a group among `count`, by Java's hash of its name, so that it is the same on every node and in
 * every version. Kafka finds a group's partition of `__consumer_offsets` by the same hash, of which it uses the
 * absolute value and this the lower 31 bits: below 0 the two differ.
 */
export const streamOf = (groupId: GroupId, count: number): number => {
  let hash = 0
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(31, hash) + groupId.charCodeAt(i)) | 0
  return (hash & 0x7fffffff) % count
}
