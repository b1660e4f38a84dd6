import { Either, HashMap } from "effect"
import {
  effective,
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
/** Returns the settings of a node that were changed while the cluster runs; null means all nodes. */
export const nodeConfigsOf = (cluster: Pick<Cluster, "nodeConfigs">, nodeId: number | null): Configs => {
  const found = HashMap.get(cluster.nodeConfigs, nodeId as BrokerId | null)
  return found._tag === "Some" ? found.value : none
}

/** From where a node has its settings now. */
export const nodeLayers = (start: NodeConfig, written: ReadonlySet<SettingName>, cluster: Pick<Cluster, "nodeConfigs">, nodeId: number): NodeLayers => ({
  start,
  written,
  cluster: effective(nodeConfigsOf(cluster, null)),
  own: effective(nodeConfigsOf(cluster, nodeId))
})

/** Returns why settings of a node in the image are ignored: an earlier version has accepted them. One sentence each. */
export const ignoredSettings = (cluster: Pick<Cluster, "nodeConfigs">, nodeId: number): ReadonlyArray<string> =>
  [nodeConfigsOf(cluster, null), nodeConfigsOf(cluster, nodeId)].flatMap((configs, at) =>
    Object.entries(configs).flatMap(([name, text]) =>
      Either.match(runningValue(name, text), {
        onLeft: ({ message }): ReadonlyArray<string> => [`${message} What was set for ${at === 0 ? "all nodes" : `node ${nodeId}`} is ignored.`],
        onRight: () => []
      })
    )
  )

/** Returns the present settings of a node, by the image; the same object for as long as nothing changes. */
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

/** Finds a setting that can be changed for all nodes at once: some can be changed for single nodes only. */
export const findClusterSetting: FindSetting = (name) =>
  Either.flatMap(findDynamicSetting(name), (setting) =>
    setting.perBroker === true
      ? rejected("INVALID_REQUEST", `Cannot update these configs at default cluster level, broker id must be specified: [${name}]`)
      : Either.right(setting)
  )

/**
 * Finds a setting that can be changed while nodes run. As in Kafka the others are INVALID_REQUEST; an unknown name is
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
