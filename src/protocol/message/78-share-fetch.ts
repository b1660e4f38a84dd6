import {
  api,
  array,
  bool,
  errorCode,
  int8,
  int16,
  int32,
  int64,
  nullable,
  records,
  since,
  struct,
  text,
  throttleTime,
  uuid,
  withDefault
} from "../type/wire.ts"

/**
 * A member of a share group takes records, which are locked for it for a while, and acknowledges earlier ones (KIP-932). Acknowledge types: 0 gap, 1
 * accept, 2 release, 3 reject, 4 renew.
 *
 * Version 0 was a preview and is gone; 2 chooses how records are acquired (KIP-1206) and renews locks (KIP-1222).
 */
export const ShareFetch = api(
  { key: 78, name: "ShareFetch", versions: [1, 2], flexible: 0 },
  {
    groupId: withDefault(nullable(text), null),
    memberId: nullable(text),
    shareSessionEpoch: int32,
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: withDefault(int32, 0x7fffffff),
    maxRecords: int32,
    batchSize: int32,
    shareAcquireMode: since(2, int8, 0, "ignorable"),
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
    ),
    forgottenTopicsData: array(struct({ topicId: uuid, partitions: array(int32) }))
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    acquisitionLockTimeoutMs: int32,
    responses: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            errorMessage: withDefault(nullable(text), null),
            acknowledgeErrorCode: errorCode,
            acknowledgeErrorMessage: withDefault(nullable(text), null),
            currentLeader: struct({ leaderId: int32, leaderEpoch: int32 }),
            records,
            acquiredRecords: array(struct({ firstOffset: int64, lastOffset: int64, deliveryCount: int16 }))
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
