import { Schema } from "effect"

/**
 * A group's name, as its users chose it. The empty name is legal for offsets alone (Kafka keeps it for old clients),
 * never for joining.
 */
export const GroupId = Schema.String.pipe(Schema.brand("GroupId"))
export type GroupId = typeof GroupId.Type
export const groupId: (text: string) => GroupId = GroupId.make

/**
 * A member's identity: drawn once by the leader, never used again for another member. Empty on the wire means "not
 * known yet".
 */
export const MemberId = Schema.String.pipe(Schema.brand("MemberId"))
export type MemberId = typeof MemberId.Type
export const memberId: (text: string) => MemberId = MemberId.make
