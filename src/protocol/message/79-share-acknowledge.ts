import { api, array, bool, errorCode, int8, int32, int64, nullable, since, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

/**
 * A member of a share group says what became of records it took, without taking more (KIP-932).
 *
 * Version 0 was a preview and is gone; 2 renews locks (KIP-1222).
 */
export const ShareAcknowledge = api(
  { key: 79, name: "ShareAcknowledge", versions: [1, 2], flexible: 0 },
  {
    groupId: withDefault(nullable(text), null),
    memberId: nullable(text),
    shareSessionEpoch: int32,
    isRenewAck: since(2, bool, false),
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            acknowledgementBatches: array(
              struct({
                firstOffset: int64,
                lastOffset: int64,
                acknowledgeTypes: array(int8)
              })
            )
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    acquisitionLockTimeoutMs: since(2, int32, 0, "ignorable"),
    responses: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            errorMessage: withDefault(nullable(text), null),
            currentLeader: struct({ leaderId: int32, leaderEpoch: int32 })
          })
        )
      })
    ),
    nodeEndpoints: array(
      struct({
        nodeId: int32,
        host: text,
        port: int32,
        rack: withDefault(nullable(text), null)
      })
    )
  }
)
