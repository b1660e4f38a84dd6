import { type ClassicGroup, initialClassic, isVoidClassic } from "./classic/state.ts"

/** A group of one of the types, told apart by `type`. */
export type Group = ClassicGroup

/** No group, in the phase Dead. The event that creates a group has its type. */
export const initial: Group = initialClassic

/** Returns whether the group has nothing worth keeping. */
export const isVoid = (group: Group): boolean => voids[group.type](group)
const voids: { readonly [Type in Group["type"]]: (group: Extract<Group, { readonly type: Type }>) => boolean } = { classic: isVoidClassic }
