import { api, array, between, bool, errorCode, int32, nullable, nullableSince, since, struct, text, uuid, zeroUuid } from "../type/wire.ts"

export const Metadata = api(
  { key: 3, name: "Metadata", versions: [0, 13], flexible: 9 },
  {
    topics: nullableSince(
      1,
      array(
        struct({
          topicId: since(10, uuid, zeroUuid, "ignorable"),
          name: nullableSince(10, text)
        })
      )
    ),
    allowAutoTopicCreation: since(4, bool, true),
    includeClusterAuthorizedOperations: between(8, 10, bool, false),
    includeTopicAuthorizedOperations: since(8, bool, false)
  },
  {
    throttleTimeMs: since(3, int32, 0, "ignorable"),
    brokers: array(
      struct({
        nodeId: int32,
        host: text,
        port: int32,
        rack: since(1, nullable(text), null, "ignorable")
      })
    ),
    clusterId: since(2, nullable(text), null, "ignorable"),
    controllerId: since(1, int32, -1, "ignorable"),
    topics: array(
      struct({
        errorCode,
        name: nullableSince(12, text),
        topicId: since(10, uuid, zeroUuid, "ignorable"),
        isInternal: since(1, bool, false, "ignorable"),
        partitions: array(
          struct({
            errorCode,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: since(7, int32, -1, "ignorable"),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            offlineReplicas: since(5, array(int32), [], "ignorable")
          })
        ),
        topicAuthorizedOperations: since(8, int32, -2147483648)
      })
    ),
    clusterAuthorizedOperations: between(8, 10, int32, -2147483648),
    errorCode: since(13, errorCode, 0, "ignorable")
  }
)
