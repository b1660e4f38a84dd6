import { bug } from "../../kernel/bug.ts"
import type { ByTag } from "../../kernel/decider.ts"
import type { Group } from "../state.ts"
import { type ChangedOffsets, withCommitted, withoutPartitions } from "./committed.ts"
import type { OffsetEvent } from "./event.ts"

/**
 * The group with other offsets. Their bytes are counted twice: here by what changes, in a snapshot anew; a count below
 * 0 shows that the two differ.
 */
const withOffsets = (group: Group, { more, offsets }: ChangedOffsets): Group => {
  const offsetBytes = group.offsetBytes + more
  if (offsetBytes < 0) bug(`group '${group.groupId}': its offsets are counted with ${offsetBytes} bytes`)
  return { ...group, offsets, offsetBytes }
}

export const offsetChanges: ByTag<Group, OffsetEvent, Group> = {
  OffsetsCommitted: (group, { offsets }) => withOffsets(group, withCommitted(group.offsets, offsets)),
  OffsetsRemoved: (group, { removed }) => withOffsets(group, withoutPartitions(group.offsets, removed))
}
