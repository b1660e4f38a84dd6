import {
  api,
  array,
  bool,
  errorCode,
  int8,
  int16,
  int32,
  int64,
  nullable,
  since,
  struct,
  text,
  throttleTime,
  uint16,
  until,
  withDefault
} from "../type/wire.ts"

const keyValue = struct({ key: text, value: text })

const topicInfo = struct({
  name: text,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(keyValue)
})

const endpoint = struct({ host: text, port: uint16 })

const taskOffset = struct({ subtopologyId: text, partition: int32, offset: int64 })

const taskIds = struct({ subtopologyId: text, partitions: array(int32) })

const status = struct({ statusCode: int8, statusDetail: text })

const topicPartition = struct({ topic: text, partitions: array(int32) })

/**
 * The one request of a member of a streams group: topology, tasks and offsets up, assigned tasks down; what has not changed is null (KIP-1071).
 *
 * Version 1 can ask the member for a description of its topology (KIP-1331), and has the recovery lag as an int64.
 */
export const StreamsGroupHeartbeat = api(
  { key: 88, name: "StreamsGroupHeartbeat", versions: [0, 1], flexible: 0 },
  {
    groupId: text,
    memberId: text,
    memberEpoch: int32,
    endpointInformationEpoch: int32,
    instanceId: withDefault(nullable(text), null),
    rackId: withDefault(nullable(text), null),
    rebalanceTimeoutMs: withDefault(int32, -1),
    topology: withDefault(
      nullable(
        struct({
          epoch: int32,
          subtopologies: array(
            struct({
              subtopologyId: text,
              sourceTopics: array(text),
              sourceTopicRegex: array(text),
              stateChangelogTopics: array(topicInfo),
              repartitionSinkTopics: array(text),
              repartitionSourceTopics: array(topicInfo),
              copartitionGroups: array(
                struct({
                  sourceTopics: array(int16),
                  sourceTopicRegex: array(int16),
                  repartitionSourceTopics: array(int16)
                })
              )
            })
          )
        })
      ),
      null
    ),
    activeTasks: withDefault(nullable(array(taskIds)), null),
    standbyTasks: withDefault(nullable(array(taskIds)), null),
    warmupTasks: withDefault(nullable(array(taskIds)), null),
    processId: withDefault(nullable(text), null),
    userEndpoint: withDefault(nullable(endpoint), null),
    clientTags: withDefault(nullable(array(keyValue)), null),
    taskOffsets: withDefault(nullable(array(taskOffset)), null),
    taskEndOffsets: withDefault(nullable(array(taskOffset)), null),
    shutdownApplication: withDefault(bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    memberId: text,
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    acceptableRecoveryLagLegacy: until(0, int32, 0),
    taskOffsetIntervalMs: int32,
    acceptableRecoveryLag: since(1, int64, -1n, "ignorable"),
    status: nullable(array(status)),
    activeTasks: withDefault(nullable(array(taskIds)), null),
    standbyTasks: withDefault(nullable(array(taskIds)), null),
    warmupTasks: withDefault(nullable(array(taskIds)), null),
    topologyDescriptionRequired: since(1, bool, false),
    endpointInformationEpoch: int32,
    partitionsByUserEndpoint: withDefault(
      nullable(
        array(
          struct({
            userEndpoint: endpoint,
            activePartitions: array(topicPartition),
            standbyPartitions: array(topicPartition)
          })
        )
      ),
      null
    )
  }
)
