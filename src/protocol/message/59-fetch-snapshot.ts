import {
  api,
  array,
  errorCode,
  int32,
  int64,
  nullable,
  records,
  struct,
  tagged,
  text,
  throttleTime,
  uint16,
  uuid,
  withDefault,
  zeroOf,
  zeroUuid
} from "../type/wire.ts"

const currentLeader = struct({ leaderId: int32, leaderEpoch: int32 })

/**
 * Reads a snapshot of the metadata log, piece by piece (KIP-630). `position` and `size` are bytes; the records are cut anywhere.
 *
 * Version 1 has the replica's directory and the leader's addresses (KIP-853).
 */
export const FetchSnapshot = api(
  { key: 59, name: "FetchSnapshot", versions: [0, 1], flexible: 0 },
  {
    clusterId: tagged(0, 0, nullable(text), null),
    replicaId: withDefault(int32, -1),
    maxBytes: withDefault(int32, 0x7fffffff),
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: int32,
            snapshotId: struct({ endOffset: int64, epoch: int32 }),
            position: int64,
            replicaDirectoryId: tagged(0, 1, uuid, zeroUuid, "ignorable")
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            index: int32,
            errorCode,
            snapshotId: struct({ endOffset: int64, epoch: int32 }),
            currentLeader: tagged(0, 0, currentLeader, zeroOf(currentLeader)),
            size: int64,
            position: int64,
            unalignedRecords: records
          })
        )
      })
    ),
    nodeEndpoints: tagged(0, 1, array(struct({ nodeId: int32, host: text, port: uint16 })), [])
  }
)
