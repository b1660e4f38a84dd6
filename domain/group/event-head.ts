import { Schema } from "effect"
import { GroupId } from "./id.ts"

/**
 * What every event carries: the version of its form (`v`), its group (several share a stream), and when it was decided,
 * ms since the epoch.
 */
export const eventHead = {
  v: Schema.Literal(1).pipe(
    Schema.propertySignature,
    Schema.withConstructorDefault(() => 1 as const)
  ),
  groupId: GroupId,
  at: Schema.Int
}

/** Of which group an event is, and when it was decided, ms since the epoch. */
export interface EventContext {
  readonly groupId: GroupId
  readonly at: number
}
