import { ClassicSnapshot, classicOf, classicSnapshotOf } from "./classic/snapshot.ts"
import type { Group } from "./state.ts"

/**
 * A group in a snapshot, by its type: what the fold of its events comes to, in one order, so that equal groups have
 * equal bytes. One without a type is classic.
 */
export const Snapshot = ClassicSnapshot
export type Snapshot = typeof Snapshot.Type

const written: { readonly [Type in Group["type"]]: (group: Extract<Group, { readonly type: Type }>) => Snapshot } = { classic: classicSnapshotOf }
const read: { readonly [Type in Group["type"]]: (snapshot: Extract<Snapshot, { readonly type: Type }>) => Group } = { classic: classicOf }

export const toSnapshot = (group: Group): Snapshot => written[group.type](group)

/** Returns the group of a snapshot. What a group keeps twice for speed (instances, counts) is worked out anew. */
export const fromSnapshot = (snapshot: Snapshot): Group => read[snapshot.type](snapshot)
