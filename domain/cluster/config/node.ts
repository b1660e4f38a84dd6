import { Either, HashMap } from "effect"
import {
  heeded,
  isNodeSetting,
  type NodeConfig,
  type NodeLayers,
  nodeConfigOf,
  nodeSetting,
  nodeSettingNames,
  runningValue,
  type SettingName,
  whileRunning
} from "../../kernel/config.ts"
import type { BrokerId } from "../../kernel/id.ts"
import { didYouMean } from "../../kernel/nearest.ts"
import { rejected } from "../decision.ts"
import type { Cluster } from "../state.ts"
import type { Configs, FindSetting } from "./changes.ts"

const none: Configs = {}
/** What was set for a node while the cluster runs; null stands for all nodes. */
export const nodeConfigsOf = (cluster: Pick<Cluster, "nodeConfigs">, nodeId: number | null): Configs => {
  const found = HashMap.get(cluster.nodeConfigs, nodeId as BrokerId | null)
  return found._tag === "Some" ? found.value : none
}

/** From where a node has its settings now. */
export const nodeLayers = (start: NodeConfig, written: ReadonlySet<SettingName>, cluster: Pick<Cluster, "nodeConfigs">, nodeId: number): NodeLayers => ({
  start,
  written,
  cluster: heeded(nodeConfigsOf(cluster, null)),
  own: heeded(nodeConfigsOf(cluster, nodeId))
})

/**
 * Why settings of a node that are in the image are not heeded: an earlier version has let them be set. One sentence
 * each.
 */
export const unheeded = (cluster: Pick<Cluster, "nodeConfigs">, nodeId: number): ReadonlyArray<string> =>
  [nodeConfigsOf(cluster, null), nodeConfigsOf(cluster, nodeId)].flatMap((configs, at) =>
    Object.entries(configs).flatMap(([name, text]) =>
      Either.match(runningValue(name, text), {
        onLeft: ({ message }): ReadonlyArray<string> => [`${message} What was set for ${at === 0 ? "all nodes" : `node ${nodeId}`} is not heeded.`],
        onRight: () => []
      })
    )
  )

/** What holds for a node, as the image stands; the same object for as long as nothing changes. */
export const liveNodeConfig = (start: NodeConfig, cluster: () => Pick<Cluster, "nodeConfigs">, nodeId: number): (() => NodeConfig) => {
  let from: Cluster["nodeConfigs"] | undefined
  let config = start
  return () => {
    const { nodeConfigs } = cluster()
    if (nodeConfigs === from) return config
    from = nodeConfigs
    config = nodeConfigOf({ start, cluster: nodeConfigsOf({ nodeConfigs }, null), own: nodeConfigsOf({ nodeConfigs }, nodeId) })
    return config
  }
}

/** What is set for single nodes only is not set for all of them at once. */
export const findClusterSetting: FindSetting = (name) =>
  Either.flatMap(findDynamicSetting(name), (setting) =>
    setting.perBroker === true
      ? rejected("INVALID_REQUEST", `Cannot update these configs at default cluster level, broker id must be specified: [${name}]`)
      : Either.right(setting)
  )

/**
 * A setting that can be changed while nodes run. Kafka calls the others by INVALID_REQUEST; a name that nobody knows is
 * INVALID_CONFIG.
 */
export const findDynamicSetting: FindSetting = (name) => {
  if (!isNodeSetting(name))
    return rejected("INVALID_CONFIG", `There is no node setting '${name.slice(0, 60)}' that could be changed.${didYouMean(name, nodeSettingNames)}`)
  const setting = nodeSetting(name)
  if (setting.dynamic === true) return Either.right(whileRunning(setting))
  return rejected(
    "INVALID_REQUEST",
    `Cannot update these configs dynamically: [${name}]. A node takes it from its file or command line when it starts: change it there, then start the node again.`
  )
}
