import { api, array, bool, errorCode, int32, nullable, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

const topicPartitions = struct({ topicId: uuid, topicName: text, partitions: array(int32) })

const assignment = struct({ topicPartitions: array(topicPartitions) })

/**
 * State, members and assignments of share groups (KIP-932).
 *
 * Version 0 was a preview and is gone.
 */
export const ShareGroupDescribe = api(
  { key: 77, name: "ShareGroupDescribe", versions: [1, 1], flexible: 0 },
  {
    groupIds: array(text),
    includeAuthorizedOperations: bool
  },
  {
    throttleTimeMs: throttleTime(),
    groups: array(
      struct({
        errorCode,
        errorMessage: withDefault(nullable(text), null),
        groupId: text,
        groupState: text,
        groupEpoch: int32,
        assignmentEpoch: int32,
        assignorName: text,
        members: array(
          struct({
            memberId: text,
            rackId: withDefault(nullable(text), null),
            memberEpoch: int32,
            clientId: text,
            clientHost: text,
            subscribedTopicNames: array(text),
            assignment
          })
        ),
        authorizedOperations: withDefault(int32, -2147483648)
      })
    )
  }
)
