import type { MemberId } from "../id.ts"
import { textBytes } from "../text-size.ts"
import type { Member, Protocol } from "./member.ts"

/** Bytes that each is counted with besides its texts and bytes: about the memory that it needs. */
const memberBytesMin = 512
const pendingBytesMin = 256
const protocolBytesMin = 64

const protocolBytes = (protocols: ReadonlyArray<Protocol>): number =>
  protocols.reduce((sum, { metadata, name }) => sum + protocolBytesMin + textBytes(name) + metadata.length, 0)

/**
 * Returns the bytes that a member is counted with: its names, its metadata for the leader of the generation, and its
 * assignment.
 */
export const memberBytes = ({ assignment, clientHost, clientId, instanceId, memberId, protocols }: Member): number =>
  memberBytesMin + 2 * textBytes(memberId) + textBytes(instanceId) + textBytes(clientId) + textBytes(clientHost) + protocolBytes(protocols) + assignment.length

/** Returns the bytes of a member id that was given out and is not used yet. */
export const pendingBytes = (memberId: MemberId): number => pendingBytesMin + textBytes(memberId)
