import { api, array, between, bool, errorCode, int32, nullable, nullableSince, since, struct, text, throttleTime, uuid, zeroUuid } from "../type/wire.ts"

/**
 * The nodes of the cluster, and the topics and partitions that they have. A null list of topics asks for all (from version 1 on), an empty one for none; in
 * version 0 the empty list asks for all.
 *
 * Version 1 adds racks, controller and internal topics, 2 the cluster id, 3 the throttle time, 4 lets the client forbid that topics are made on the way, 5
 * adds offline replicas, 7 leader epochs, 8 authorized operations (KIP-430), 9 is flexible, 10 adds topic ids (KIP-516), 11 leaves the cluster's
 * operations to DescribeCluster (KIP-700), 12 asks by topic id, 13 has an error for the whole response.
 */
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
    throttleTimeMs: throttleTime(3),
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
