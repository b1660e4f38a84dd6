import { encodeVersioned } from "../codec/versioned.ts"
import { array, between, bytes, int32, int64, nullable, type Schema, schema, since, struct, tagged, text, uuid, zeroUuid } from "../type/wire.ts"

/** The keys of the records of `__consumer_offsets`: the int16 in front tells which kind of record it is. */
const recordType = { offsetCommit: 1, groupMetadata: 2 }

export const OffsetCommitKey = schema({ name: "OffsetCommitKey", versions: [0, 0] }, { group: text, topic: text, partition: int32 })

/**
 * What a group has committed in a partition. Times are ms since 1970.
 *
 * Version 1 has the time at which the offset expires, 2 leaves that to the coordinator (KIP-211), 3 adds the leader epoch (KIP-320), 4 is flexible and adds the topic id.
 */
export const OffsetCommitValue = schema(
  { name: "OffsetCommitValue", versions: [0, 4], flexible: 4 },
  {
    offset: int64,
    leaderEpoch: since(3, int32, -1, "ignorable"),
    metadata: text,
    commitTimestamp: int64,
    expireTimestamp: between(1, 1, int64, -1n, "ignorable"),
    topicId: tagged(0, 4, uuid, zeroUuid, "ignorable")
  }
)

export const GroupMetadataKey = schema({ name: "GroupMetadataKey", versions: [0, 0] }, { group: text })

/**
 * A classic group: its generation and members. Timeouts and times are ms.
 *
 * Version 1 adds the rebalance timeout, 2 the time at which the state began, 3 static members (KIP-345), 4 is flexible.
 */
export const GroupMetadataValue = schema(
  { name: "GroupMetadataValue", versions: [0, 4], flexible: 4 },
  {
    protocolType: text,
    generation: int32,
    protocol: nullable(text),
    leader: nullable(text),
    currentStateTimestamp: since(2, int64, -1n, "ignorable"),
    members: array(
      struct({
        memberId: text,
        groupInstanceId: since(3, nullable(text), null, "ignorable"),
        clientId: text,
        clientHost: text,
        rebalanceTimeout: since(1, int32, -1, "ignorable"),
        sessionTimeout: int32,
        subscription: bytes,
        assignment: bytes
      })
    )
  }
)

type Draft<S> = S extends Schema<unknown, infer D> ? D : never

/** The last version without topic ids: monitors such as Burrow read none above it. */
const offsetVersion = 3
const expiringVersion = 1
const groupVersion = 3

export const encodeOffsetCommitKey = (key: Draft<typeof OffsetCommitKey>): Uint8Array => encodeVersioned(OffsetCommitKey, key, 0, recordType.offsetCommit)
/** In version 3, or in version 1 where the offset has a time at which it expires. */
export const encodeOffsetCommitValue = (value: Draft<typeof OffsetCommitValue>): Uint8Array =>
  encodeVersioned(OffsetCommitValue, value, value.expireTimestamp === undefined ? offsetVersion : expiringVersion)
export const encodeGroupMetadataKey = (key: Draft<typeof GroupMetadataKey>): Uint8Array => encodeVersioned(GroupMetadataKey, key, 0, recordType.groupMetadata)
export const encodeGroupMetadataValue = (value: Draft<typeof GroupMetadataValue>): Uint8Array => encodeVersioned(GroupMetadataValue, value, groupVersion)
