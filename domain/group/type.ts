import { Schema } from "effect"

/**
 * The types of group, by Kafka's names. Each has a room of its own beside `classic/`, with its state, commands, events
 * and form in snapshots, and an entry in every table by type. What belongs to no type (committed offsets, capacity, the
 * streams) is in this room and in `offset/`.
 */
export const GroupType = Schema.Literal("classic")
export type GroupType = typeof GroupType.Type

/** The type of a group whose creation or snapshot names none: it was written when there was no other. */
export const typeWhenAbsent: GroupType = "classic"
