import type { CommandOf } from "../command.ts"
import type { Decision } from "../plan.ts"
import type { Committed } from "./committed.ts"

/** The rules of a type of group for committed offsets. */
export interface OffsetRules<Group> {
  /** Returns why the commit is refused (G3), or null. */
  readonly commitRejection: (group: Group, command: CommandOf<"CommitOffsets">) => Decision | null
  readonly hasMembers: (group: Group) => boolean
  /** Returns whether the members are consumers of topics: what other members use cannot be known. */
  readonly readsTopics: (group: Group) => boolean
  /** Returns the topics that members subscribe to; null when they cannot be known. */
  readonly subscribedTopics: (group: Group) => ReadonlySet<string> | null
  /**
   * Returns the time from which the retention of an offset counts, ms since the epoch; null while it does not count. In
   * a group that has lost its members: since then. In a group that never had members: since the commit. While there are
   * members, only in a stable group, and only for topics that they do not subscribe to (KIP-211).
   */
  readonly agesFrom: (group: Group, isSubscribed: boolean, offset: Committed) => number | null
}
