import { api, array, errorCode, int16, int32, int64, nullable, since, struct, text, until, uuid, zeroUuid } from "../type/wire.ts"

export const TxnOffsetCommit = api(
  { key: 28, name: "TxnOffsetCommit", versions: [0, 6], flexible: 3 },
  {
    transactionalId: text,
    groupId: text,
    producerId: int64,
    producerEpoch: int16,
    generationIdOrMemberEpoch: since(3, int32, -1),
    memberId: since(3, text, ""),
    groupInstanceId: since(3, nullable(text), null),
    topics: array(
      struct({
        name: until(5, text, "", "ignorable"),
        topicId: since(6, uuid, zeroUuid, "ignorable"),
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: since(2, int32, -1, "ignorable"),
            committedMetadata: nullable(text)
          })
        )
      })
    )
  },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: until(5, text, "", "ignorable"),
        topicId: since(6, uuid, zeroUuid, "ignorable"),
        partitions: array(struct({ partitionIndex: int32, errorCode }))
      })
    )
  }
)
