/**
 * Settings by Kafka's names: config/node.ts is the table of a node's, config/topic.ts that of a topic's; a new one is a
 * line there.
 */
export { connectionOverrides } from "./config/connection-overrides.ts"
export { authorizerSettings, ofListener, removedSettings, whyRemoved } from "./config/known/removed.ts"
export { changedNames, effective, type NodeLayers, nodeConfigOf, runningValue } from "./config/layers.ts"
export {
  decompressedBytesUnbounded,
  defaultNodeConfig,
  isNodeSetting,
  type NodeConfig,
  nodeSetting,
  nodeSettingNames,
  type SettingName
} from "./config/node.ts"
export { groupConflict, type ResourceKind, resourceSettings } from "./config/resource.ts"
export { type AnySetting, type ConfigFault, entriesOf, parseSetting, textOf, whileRunning } from "./config/setting.ts"
export { isTopicSetting, type TopicConfig, topicConfig, topicSettingNames, topicSettings } from "./config/topic.ts"
