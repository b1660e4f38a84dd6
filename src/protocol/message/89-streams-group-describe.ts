import { api, array, bool, errorCode, int8, int16, int32, int64, nullable, since, struct, text, throttleTime, uint16, withDefault } from "../type/wire.ts"

const endpoint = struct({ host: text, port: uint16 })

const taskOffset = struct({ subtopologyId: text, partition: int32, offset: int64 })

const taskIds = struct({ subtopologyId: text, partitions: array(int32) })

const assignment = struct({
  activeTasks: array(taskIds),
  standbyTasks: array(taskIds),
  warmupTasks: array(taskIds)
})

const keyValue = struct({ key: text, value: text })

const topicInfo = struct({
  name: text,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(keyValue)
})

const topologyDescriptionNode = struct({
  name: text,
  nodeType: int8,
  sourceTopics: array(text),
  sinkTopic: withDefault(nullable(text), null),
  stores: array(text),
  successors: array(text)
})

const topologyDescriptionSubtopology = struct({ subtopologyId: text, nodes: array(topologyDescriptionNode) })

const topologyDescriptionGlobalStore = struct({
  source: topologyDescriptionNode,
  processor: topologyDescriptionNode
})

const topologyDescription = struct({
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore)
})

/**
 * State, topology, members and tasks of streams groups (KIP-1071).
 *
 * Version 1 can include the described topology (KIP-1331) and names the assignor (KIP-1357).
 */
export const StreamsGroupDescribe = api(
  { key: 89, name: "StreamsGroupDescribe", versions: [0, 1], flexible: 0 },
  {
    groupIds: array(text),
    includeAuthorizedOperations: bool,
    includeTopologyDescription: since(1, bool, false)
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
        topology: withDefault(
          nullable(
            struct({
              epoch: int32,
              subtopologies: withDefault(
                nullable(
                  array(
                    struct({
                      subtopologyId: text,
                      sourceTopics: array(text),
                      repartitionSinkTopics: array(text),
                      stateChangelogTopics: array(topicInfo),
                      repartitionSourceTopics: array(topicInfo)
                    })
                  )
                ),
                null
              )
            })
          ),
          null
        ),
        members: array(
          struct({
            memberId: text,
            memberEpoch: int32,
            instanceId: withDefault(nullable(text), null),
            rackId: withDefault(nullable(text), null),
            clientId: text,
            clientHost: text,
            topologyEpoch: int32,
            processId: text,
            userEndpoint: withDefault(nullable(endpoint), null),
            clientTags: array(keyValue),
            taskOffsets: array(taskOffset),
            taskEndOffsets: array(taskOffset),
            assignment,
            targetAssignment: assignment,
            isClassic: bool
          })
        ),
        authorizedOperations: withDefault(int32, -2147483648),
        topologyDescription: since(1, nullable(topologyDescription), null),
        topologyDescriptionStatus: since(1, int8, 0),
        assignorName: since(1, nullable(text), null, "ignorable")
      })
    )
  }
)
