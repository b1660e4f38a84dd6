import { api, array, bool, errorCode, int32, int64, nullable, since, struct, tagged, text, uint16, uuid, withDefault, zeroUuid } from "../type/wire.ts"

/**
 * A candidate asks for votes in the metadata quorum (KIP-595). Controllers only.
 *
 * Version 1 has voter and directory ids (KIP-853), 2 asks before it raises the epoch (KIP-996).
 */
export const Vote = api(
  { key: 52, name: "Vote", versions: [0, 2], flexible: 0 },
  {
    clusterId: withDefault(nullable(text), null),
    voterId: since(1, int32, -1, "ignorable"),
    topics: array(
      struct({
        topicName: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            replicaEpoch: int32,
            replicaId: int32,
            replicaDirectoryId: since(1, uuid, zeroUuid, "ignorable"),
            voterDirectoryId: since(1, uuid, zeroUuid, "ignorable"),
            lastOffsetEpoch: int32,
            lastOffset: int64,
            preVote: since(2, bool, false)
          })
        )
      })
    )
  },
  {
    errorCode,
    topics: array(
      struct({
        topicName: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            leaderId: int32,
            leaderEpoch: int32,
            voteGranted: bool
          })
        )
      })
    ),
    nodeEndpoints: tagged(0, 1, array(struct({ nodeId: int32, host: text, port: uint16 })), [])
  }
)
