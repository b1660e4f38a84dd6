import { api, array, errorCode, int8, int32, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

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

/** A streams member describes its topology for the operator to read (KIP-1331). */
export const StreamsGroupTopologyDescriptionUpdate = api(
  { key: 93, name: "StreamsGroupTopologyDescriptionUpdate", versions: [0, 0], flexible: 0 },
  {
    groupId: text,
    memberId: text,
    topologyEpoch: int32,
    topologyDescription
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null)
  }
)
