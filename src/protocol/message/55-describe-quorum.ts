import { api, array, errorCode, int32, int64, nullable, since, struct, text, uint16, uuid, zeroUuid } from "../type/wire.ts"

const replicaState = struct({
  replicaId: int32,
  replicaDirectoryId: since(2, uuid, zeroUuid),
  logEndOffset: int64,
  lastFetchTimestamp: since(1, int64, -1n, "ignorable"),
  lastCaughtUpTimestamp: since(1, int64, -1n, "ignorable")
})

/**
 * Leader, voters and observers of the metadata quorum, and how far each has come (KIP-595). Timestamps are ms since 1970.
 *
 * Version 1 tells when each replica last fetched (KIP-836), 2 directories, addresses and error messages (KIP-853).
 */
export const DescribeQuorum = api(
  { key: 55, name: "DescribeQuorum", versions: [0, 2], flexible: 0 },
  {
    topics: array(
      struct({
        topicName: text,
        partitions: array(struct({ partitionIndex: int32 }))
      })
    )
  },
  {
    errorCode,
    errorMessage: since(2, nullable(text), "", "ignorable"),
    topics: array(
      struct({
        topicName: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            errorMessage: since(2, nullable(text), "", "ignorable"),
            leaderId: int32,
            leaderEpoch: int32,
            highWatermark: int64,
            currentVoters: array(replicaState),
            observers: array(replicaState)
          })
        )
      })
    ),
    nodes: since(
      2,
      array(
        struct({
          nodeId: int32,
          listeners: array(struct({ name: text, host: text, port: uint16 }))
        })
      ),
      []
    )
  }
)
