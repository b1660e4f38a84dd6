import type { GroupId } from "./id.ts"
import type { Group } from "./state.ts"
import { textBytes } from "./text-size.ts"

/** Bytes that a group is counted with besides its texts, members and offsets: about the memory that it needs. */
const groupBytesMin = 1024

/** Returns the bytes of a group that has neither members nor offsets. */
const emptyGroupBytes = (groupId: GroupId): number => groupBytesMin + 2 * textBytes(groupId)

/**
 * Returns the bytes that a group is counted with, in its coordinator's memory and in a snapshot: about the memory that
 * it needs. 0 for a group that does not exist.
 */
export const groupBytes = ({ groupId, memberBytes, offsetBytes, phase }: Group): number =>
  phase === "Dead" ? 0 : emptyGroupBytes(groupId) + memberBytes + offsetBytes
