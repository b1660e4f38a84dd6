import {
  api,
  array,
  bool,
  errorCode,
  int8,
  int32,
  int64,
  nullable,
  records,
  since,
  struct,
  tagged,
  text,
  throttleTime,
  until,
  uuid,
  withDefault,
  zeroOf,
  zeroUuid
} from "../type/wire.ts"

const replicaState = struct({
  replicaId: withDefault(int32, -1),
  replicaEpoch: withDefault(int64, -1n)
})

const divergingEpoch = struct({
  epoch: withDefault(int32, -1),
  endOffset: withDefault(int64, -1n)
})

const currentLeader = struct({
  leaderId: withDefault(int32, -1),
  leaderEpoch: withDefault(int32, -1)
})

const snapshotId = struct({
  endOffset: withDefault(int64, -1n),
  epoch: withDefault(int32, -1)
})

/**
 * A consumer or a follower reads record batches. The response waits until `minBytes` are there or `maxWaitMs` have passed; `maxBytes` bounds it, but the
 * first batch of the first partition is given whole.
 *
 * Version 4 has the isolation level, 5 the log's start offset, 7 fetch sessions (KIP-227), 9 fences by leader epoch (KIP-320), 10 allows zstd (KIP-110), 11
 * knows racks (KIP-392), 12 is flexible and finds diverging epochs (KIP-595), 13 names topics by id (KIP-516), 14 may return OFFSET_MOVED_TO_TIERED_STORAGE
 * (KIP-405), 15 has the replica's epoch (KIP-903), 16 tells the new leader's address (KIP-951), 17 the follower's directory (KIP-853), 18 its high
 * watermark (KIP-1166).
 */
export const Fetch = api(
  { key: 1, name: "Fetch", versions: [4, 18], flexible: 12 },
  {
    clusterId: tagged(0, 12, nullable(text), null, "ignorable"),
    replicaId: until(14, int32, -1),
    replicaState: tagged(1, 15, replicaState, zeroOf(replicaState)),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: withDefault(int32, 0x7fffffff),
    isolationLevel: withDefault(int8, 0),
    sessionId: since(7, int32, 0, "ignorable"),
    sessionEpoch: since(7, int32, -1, "ignorable"),
    topics: array(
      struct({
        topic: until(12, text, "", "ignorable"),
        topicId: since(13, uuid, zeroUuid, "ignorable"),
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: since(9, int32, -1, "ignorable"),
            fetchOffset: int64,
            lastFetchedEpoch: since(12, int32, -1),
            logStartOffset: since(5, int64, -1n, "ignorable"),
            partitionMaxBytes: int32,
            replicaDirectoryId: tagged(0, 17, uuid, zeroUuid, "ignorable"),
            highWatermark: tagged(1, 18, int64, 9223372036854775807n, "ignorable")
          })
        )
      })
    ),
    forgottenTopicsData: since(
      7,
      array(
        struct({
          topic: until(12, text, "", "ignorable"),
          topicId: since(13, uuid, zeroUuid, "ignorable"),
          partitions: array(int32)
        })
      ),
      []
    ),
    rackId: since(11, text, "", "ignorable")
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode: since(7, errorCode, 0, "ignorable"),
    sessionId: since(7, int32, 0),
    responses: array(
      struct({
        topic: until(12, text, "", "ignorable"),
        topicId: since(13, uuid, zeroUuid, "ignorable"),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            highWatermark: int64,
            lastStableOffset: withDefault(int64, -1n),
            logStartOffset: since(5, int64, -1n, "ignorable"),
            divergingEpoch: tagged(0, 12, divergingEpoch, zeroOf(divergingEpoch)),
            currentLeader: tagged(1, 12, currentLeader, zeroOf(currentLeader)),
            snapshotId: tagged(2, 12, snapshotId, zeroOf(snapshotId), "ignorable"),
            sparseEnd: tagged(0x4643, 12, int64, 0n, "ignorable"),
            abortedTransactions: nullable(array(struct({ producerId: int64, firstOffset: int64 }))),
            preferredReadReplica: since(11, int32, -1),
            records: nullable(records)
          })
        )
      })
    ),
    overlaps: tagged(0x4643, 12, bool, false, "ignorable"),
    nodeEndpoints: tagged(
      0,
      16,
      array(
        struct({
          nodeId: int32,
          host: text,
          port: int32,
          rack: withDefault(nullable(text), null)
        })
      ),
      []
    )
  }
)
