import { type ClassicGroup, initialClassic, isVoidClassic } from "./classic/state.ts"
import type { GroupId } from "./id.ts"
import type { Offsets } from "./offset/committed.ts"
import type { GroupType } from "./type.ts"

/** What a group of any type has. */
export interface AnyGroup {
  readonly type: GroupType
  readonly groupId: GroupId
  readonly offsets: Offsets
  /** Derived: bytes of all members and pending ids, and of all offsets. */
  readonly memberBytes: number
  readonly offsetBytes: number
}

/** A group of one of the types, told apart by `type`. */
export type Group = ClassicGroup

/** No group, in the phase Dead. The event that creates a group has its type. */
export const initial: Group = initialClassic

/** Returns whether the group has nothing worth keeping. */
export const isVoid = (group: Group): boolean => voids[group.type](group)
const voids: { readonly [Type in Group["type"]]: (group: Extract<Group, { readonly type: Type }>) => boolean } = { classic: isVoidClassic }
