import { HashMap, Option, Schema } from "effect"
import type { Decider } from "../kernel/decider.ts"
import type { Rejection } from "../kernel/error-code.ts"
import type { Command } from "./command.ts"
import { decide } from "./decide.ts"
import type { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import type { GroupId } from "./id.ts"
import type { Limits } from "./limits.ts"
import { fromSnapshot, Snapshot, toSnapshot } from "./snapshot.ts"
import { type Group, initial } from "./state.ts"

/** The groups of one stream of the journal: each is an aggregate of its own, every command and event names its group. */
export type Groups = HashMap.HashMap<GroupId, Group>

export const noGroups: Groups = HashMap.empty()

/** A group; one that is not there is `initial`, in the phase Dead. */
export const groupOf = (groups: Groups, groupId: GroupId): Group => Option.getOrElse(HashMap.get(groups, groupId), () => initial)

const evolveGroups = (groups: Groups, event: Event): Groups => {
  const next = evolve(groupOf(groups, event.groupId), event)
  return next.phase === "Dead" ? HashMap.remove(groups, event.groupId) : HashMap.set(groups, event.groupId, next)
}

/** The aggregates of one stream as one decider. */
export const groupsDecider = (limits: Limits): Decider<Groups, Command, Event, Rejection> => {
  const decideOne = decide(limits)
  return { initial: noGroups, decide: (groups, command) => decideOne(groupOf(groups, command.groupId), command), evolve: evolveGroups }
}

/** All groups of a stream, for a snapshot; equal states have equal snapshots. */
export const GroupsSnapshot = Schema.Struct({ v: Schema.Literal(1), groups: Schema.Array(Snapshot) })

const GroupsSelf: Schema.Schema<Groups> = Schema.declare((input: unknown): input is Groups => HashMap.isHashMap(input))
/** The state of a stream as JSON. */
export const GroupsState: Schema.Schema<Groups, typeof GroupsSnapshot.Encoded> = Schema.transform(GroupsSnapshot, GroupsSelf, {
  strict: true,
  decode: ({ groups }) => HashMap.fromIterable(groups.map((group): [GroupId, Group] => [group.groupId, fromSnapshot(group)])),
  encode: (groups) => ({ v: 1 as const, groups: sortedGroups(groups).map(toSnapshot) })
})

/** Groups in the order of their ids. */
export const sortedGroups = (groups: Groups): ReadonlyArray<Group> => Array.from(HashMap.values(groups)).sort((a, b) => (a.groupId < b.groupId ? -1 : 1))

/**
 * The stream of a group among `count`: as Kafka finds a group's partition of `__consumer_offsets`, by Java's hash of its name, so that it is the same on
 * every node and in every version.
 */
export const streamOf = (groupId: GroupId, count: number): number => {
  let hash = 0
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(31, hash) + groupId.charCodeAt(i)) | 0
  return (hash & 0x7fffffff) % count
}
