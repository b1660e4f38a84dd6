import type { Event } from "../../domain/group/event.ts"
import type { Groups } from "../../domain/group/groups.ts"
import type { Change } from "../stream/writer.ts"

/** Durable events of the groups in one stream. */
export type GroupsChange = Change<Groups, Event>

/** What follows the events of the groups in one stream. It is called with every change once, in order; it must not throw or wait. */
export interface GroupFollower {
  readonly follow: (change: GroupsChange) => void
}
