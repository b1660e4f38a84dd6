import { api, array, bool, errorCode, int8, int32, nullable, since, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

const topicPartitions = struct({ topicId: uuid, topicName: text, partitions: array(int32) })

const assignment = struct({ topicPartitions: array(topicPartitions) })

/**
 * State, members and assignments of new consumer groups (KIP-848).
 *
 * Version 1 marks members with the classic protocol (KIP-1099).
 */
export const ConsumerGroupDescribe = api(
  { key: 69, name: "ConsumerGroupDescribe", versions: [0, 1], flexible: 0 },
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
            instanceId: withDefault(nullable(text), null),
            rackId: withDefault(nullable(text), null),
            memberEpoch: int32,
            clientId: text,
            clientHost: text,
            subscribedTopicNames: array(text),
            subscribedTopicRegex: withDefault(nullable(text), null),
            assignment,
            targetAssignment: assignment,
            memberType: since(1, int8, -1, "ignorable")
          })
        ),
        authorizedOperations: withDefault(int32, -2147483648)
      })
    )
  }
)
