import { api, array, errorCode, int32, nullable, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

const topicPartitions = struct({ topicId: uuid, partitions: array(int32) })

/**
 * A member of a share group joins (epoch 0), stays, or leaves (epoch -1) (KIP-932).
 *
 * Version 0 was a preview and is gone.
 */
export const ShareGroupHeartbeat = api(
  { key: 76, name: "ShareGroupHeartbeat", versions: [1, 1], flexible: 0 },
  {
    groupId: text,
    memberId: text,
    memberEpoch: int32,
    rackId: withDefault(nullable(text), null),
    subscribedTopicNames: withDefault(nullable(array(text)), null)
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
