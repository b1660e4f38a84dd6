import { api, array, errorCode, int16, int32, int64, nullable, since, struct, text, throttleTime, until, uuid, zeroUuid } from "../type/wire.ts"

/**
 * Stores a group's offsets as part of a transaction: they count when it commits.
 *
 * Version 2 adds leader epochs, 3 is flexible and fences by member and generation (KIP-447), 4 may return TRANSACTION_ABORTABLE, 5 adds the offsets to the
 * transaction by itself (both KIP-890), 6 names topics by id (KIP-1319).
 */
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
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        name: until(5, text, "", "ignorable"),
        topicId: since(6, uuid, zeroUuid, "ignorable"),
        partitions: array(struct({ partitionIndex: int32, errorCode }))
      })
    )
  }
)
