import { api, array, bool, errorCode, int32, nullable, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

/** Topics and their partitions, page by page: at most `responsePartitionLimit` partitions, and a cursor for the rest (KIP-966). */
export const DescribeTopicPartitions = api(
  { key: 75, name: "DescribeTopicPartitions", versions: [0, 0], flexible: 0 },
  {
    topics: array(struct({ name: text })),
    responsePartitionLimit: withDefault(int32, 2000),
    cursor: withDefault(nullable(struct({ topicName: text, partitionIndex: int32 })), null)
  },
  {
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        errorCode,
        name: nullable(text),
        topicId: uuid,
        isInternal: withDefault(bool, false),
        partitions: array(
          struct({
            errorCode,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: withDefault(int32, -1),
            replicaNodes: array(int32),
            isrNodes: array(int32),
            eligibleLeaderReplicas: withDefault(nullable(array(int32)), null),
            lastKnownElr: withDefault(nullable(array(int32)), null),
            offlineReplicas: array(int32)
          })
        ),
        topicAuthorizedOperations: withDefault(int32, -2147483648)
      })
    ),
    nextCursor: withDefault(nullable(struct({ topicName: text, partitionIndex: int32 })), null)
  }
)
