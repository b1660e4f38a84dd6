import { type ByTag, entryOf } from "../kernel/decider.ts"
import { classicChanges } from "./classic/evolve.ts"
import { initialClassic } from "./classic/state.ts"
import type { Event, GroupCreated } from "./event.ts"
import { offsetChanges } from "./offset/evolve.ts"
import { type Group, initial } from "./state.ts"
import { type GroupType, typeWhenAbsent } from "./type.ts"

/** A group of each type as it is created: Empty, without offsets. */
const created: { readonly [Type in GroupType]: (event: GroupCreated) => Group } = {
  classic: ({ at, groupId }) => ({ ...initialClassic, groupId, phase: "Empty", since: at })
}

const changes: ByTag<Group, Event, Group> = {
  ...classicChanges,
  ...offsetChanges,
  GroupCreated: (_, event) => created[event.type ?? typeWhenAbsent](event),
  GroupDeleted: () => initial
}

/** Returns the group after `event`: total, and the same on every node and in tests. */
export const evolve = (group: Group, event: Event): Group => entryOf(changes, event)(group, event)
