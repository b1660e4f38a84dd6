import { api, array, errorCode, int32, int64, nullable, since, struct, text, throttleTime, until, uuid, withDefault, zeroUuid } from "../type/wire.ts"

/**
 * A group's member stores the offsets it has come to. A generation of -1 and an empty member id are a client outside of any group's assignment.
 *
 * Versions 2 to 4 carry a retention time; 3 returns the throttle time, 6 adds leader epochs (KIP-320), 7 static membership (KIP-345), 8 is flexible, 9
 * serves the new consumer groups (KIP-848) and may return STALE_MEMBER_EPOCH and GROUP_ID_NOT_FOUND, 10 names topics by id.
 */
export const OffsetCommit = api(
  { key: 8, name: "OffsetCommit", versions: [2, 10], flexible: 8 },
  {
    groupId: text,
    generationIdOrMemberEpoch: withDefault(int32, -1),
    memberId: text,
    groupInstanceId: since(7, nullable(text), null),
    retentionTimeMs: until(4, int64, -1n, "ignorable"),
    topics: array(
      struct({
        name: until(9, text, "", "ignorable"),
        topicId: since(10, uuid, zeroUuid, "ignorable"),
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: since(6, int32, -1, "ignorable"),
            committedMetadata: nullable(text)
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(3),
    topics: array(
      struct({
        name: until(9, text, "", "ignorable"),
        topicId: since(10, uuid, zeroUuid, "ignorable"),
        partitions: array(struct({ partitionIndex: int32, errorCode }))
      })
    )
  }
)
