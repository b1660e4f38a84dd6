import { api, array, errorCode, int32, nullable, since, struct, tagged, text, uint16, uuid, withDefault, zeroUuid } from "../type/wire.ts"

/**
 * A new leader of the metadata quorum says that it leads (KIP-595). Controllers only.
 *
 * Version 1 is flexible and has the voter's directory and the leader's addresses (KIP-853).
 */
export const BeginQuorumEpoch = api(
  { key: 53, name: "BeginQuorumEpoch", versions: [0, 1], flexible: 1 },
  {
    clusterId: withDefault(nullable(text), null),
    voterId: since(1, int32, -1, "ignorable"),
    topics: array(
      struct({
        topicName: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            voterDirectoryId: since(1, uuid, zeroUuid, "ignorable"),
            leaderId: int32,
            leaderEpoch: int32
          })
        )
      })
    ),
    leaderEndpoints: since(1, array(struct({ name: text, host: text, port: uint16 })), [], "ignorable")
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
            leaderEpoch: int32
          })
        )
      })
    ),
    nodeEndpoints: tagged(0, 1, array(struct({ nodeId: int32, host: text, port: uint16 })), [])
  }
)
