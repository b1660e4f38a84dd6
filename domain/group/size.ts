import type { Member, Protocol } from "./classic/member.ts"
import type { GroupId, MemberId } from "./id.ts"
import type { Committed } from "./offset/committed.ts"
import type { Group } from "./state.ts"

/** What a thing of each kind is counted with besides its texts and bytes: about what it takes in memory. */
const groupBytesMin = 1024
const memberBytesMin = 512
const pendingBytesMin = 256
const protocolBytesMin = 64
const offsetBytesMin = 192

/** A text is counted as UTF-16, the most that it takes in memory. */
const textBytes = (text: string | null): number => 2 * (text?.length ?? 0)

const protocolBytes = (protocols: ReadonlyArray<Protocol>): number =>
  protocols.reduce((sum, { metadata, name }) => sum + protocolBytesMin + textBytes(name) + metadata.length, 0)

/** Bytes that a member is counted with: its names, what it says to the one who assigns, and what it was assigned. */
export const memberBytes = ({ assignment, clientHost, clientId, instanceId, memberId, protocols }: Member): number =>
  memberBytesMin + 2 * textBytes(memberId) + textBytes(instanceId) + textBytes(clientId) + textBytes(clientHost) + protocolBytes(protocols) + assignment.length

/** Bytes of a member id that was handed out and is not used yet. */
export const pendingBytes = (memberId: MemberId): number => pendingBytesMin + textBytes(memberId)

/** Bytes of a committed offset. The topic's name is shared by all that name it. */
export const offsetBytes = ({ metadata }: Pick<Committed, "metadata">): number => offsetBytesMin + textBytes(metadata)

/** Bytes of a group that has neither members nor offsets. */
export const emptyGroupBytes = (groupId: GroupId): number => groupBytesMin + 2 * textBytes(groupId)

/** Bytes that a group is counted with, in its leader's memory and in a snapshot: about what it takes. 0 for one that is not there. */
export const groupBytes = ({ groupId, memberBytes, offsetBytes, phase }: Group): number =>
  phase === "Dead" ? 0 : emptyGroupBytes(groupId) + memberBytes + offsetBytes
