import { api, array, errorCode, int32, nullable, since, struct, tagged, text, uint16, until, uuid, withDefault } from "../type/wire.ts"

/**
 * A leader of the metadata quorum steps down and names who should follow it (KIP-595). Controllers only.
 *
 * Version 1 is flexible and names candidates with their directories instead of ids (KIP-853).
 */
export const EndQuorumEpoch = api(
  { key: 54, name: "EndQuorumEpoch", versions: [0, 1], flexible: 1 },
  {
    clusterId: withDefault(nullable(text), null),
    topics: array(
      struct({
        topicName: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: int32,
            preferredSuccessors: until(0, array(int32), [], "ignorable"),
            preferredCandidates: since(1, array(struct({ candidateId: int32, candidateDirectoryId: uuid })), [], "ignorable")
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
