import { api, array, errorCode, int32, nullable, since, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

const topicPartitions = struct({ topicId: uuid, partitions: array(int32) })

/**
 * The one request of a member of the new consumer groups: it joins (epoch 0), stays, and leaves (epoch -1, or -2 for a static member that will return).
 * What has not changed since the last one is null (KIP-848).
 *
 * Version 1 subscribes by a regular expression, and members choose their own id (KIP-1082).
 */
export const ConsumerGroupHeartbeat = api(
  { key: 68, name: "ConsumerGroupHeartbeat", versions: [0, 1], flexible: 0 },
  {
    groupId: text,
    memberId: text,
    memberEpoch: int32,
    instanceId: withDefault(nullable(text), null),
    rackId: withDefault(nullable(text), null),
    rebalanceTimeoutMs: withDefault(int32, -1),
    subscribedTopicNames: withDefault(nullable(array(text)), null),
    subscribedTopicRegex: since(1, nullable(text), null),
    serverAssignor: withDefault(nullable(text), null),
    topicPartitions: withDefault(nullable(array(struct({ topicId: uuid, partitions: array(int32) }))), null)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    memberId: withDefault(nullable(text), null),
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    assignment: withDefault(nullable(struct({ topicPartitions: array(topicPartitions) })), null)
  }
)
