import { Either, HashMap } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import type { BrokerId } from "../../kernel/id.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { NodeConfigsChanged, TopicConfigsChanged } from "../event.ts"
import { evolve } from "../evolve.ts"
import { eventsOfMinIsr, minIsrSetting } from "../replication/partition-changes.ts"
import { brokerOf, type Cluster, topicByName } from "../state.ts"
import { groupMetadataTopicId } from "../topic/group-metadata.ts"
import { internalTopicRejection, isInternalName, parseTopicName } from "../topic/name.ts"
import { type Configs, changedConfigs, sameConfigs, tooManyConfigs } from "./changes.ts"
import { findClusterSetting, findDynamicSetting, nodeConfigsOf } from "./node.ts"
import { findTopicSetting } from "./topic.ts"

/**
 * Makes all changes or none. The event has all settings of the topic afterwards, so that a reader needs none of the
 * settings before.
 */
export const changeTopicConfigs = (cluster: Cluster, command: CommandOf<"ChangeTopicConfigs">): Decision =>
  Either.gen(function* () {
    const name = yield* parseTopicName(command.topic)
    const topic = topicByName(cluster, name)
    if (topic?.topicId === groupMetadataTopicId || (topic === undefined && isInternalName(name))) return yield* Either.left(internalTopicRejection(name))
    if (topic === undefined) return yield* rejected("UNKNOWN_TOPIC_OR_PARTITION", `The topic '${name}' does not exist.`)
    const configs = yield* changedConfigs(topic.configs, command, findTopicSetting)
    const tooMany = tooManyConfigs(cluster, topic.configs, configs)
    if (tooMany !== undefined) return yield* Either.left(tooMany)
    if (command.validateOnly || sameConfigs(configs, topic.configs)) return []
    const event = new TopicConfigsChanged({ topicId: topic.topicId, configs })
    return [event, ...eventsOfMinIsr(evolve(cluster, event), topic.topicId)]
  })

/** Returns the node of that id; null for the empty name, which means all nodes. */
const nodeNamed = (cluster: Cluster, name: string): Either.Either<BrokerId | null, Rejection> => {
  if (name === "") return Either.right(null)
  if (!/^-?\d{1,10}$/.test(name)) return rejected("INVALID_REQUEST", `Node id must be an integer, but it is: ${name.slice(0, 60)}`)
  const broker = brokerOf(cluster, Number(name))
  if (broker !== undefined) return Either.right(broker.id)
  if (cluster.leader?.nodeId === Number(name)) return Either.right(cluster.leader.nodeId)
  // A node without a registration keeps its settings, so it must be possible to remove them.
  const id = Number(name) as BrokerId
  if (HashMap.has(cluster.nodeConfigs, id)) return Either.right(id)
  return rejected("INVALID_REQUEST", `This cluster has no node ${name}.`)
}

/**
 * Returns why a change would leave nodes with more than one `min.insync.replicas`, or with none, in Kafka's words: the
 * cluster's leader would shrink in-sync sets by another number than partition leaders commit by (KAFKA-16540).
 */
const minIsrFault = (nodeId: BrokerId | null, before: Configs, after: Configs): Rejection | undefined => {
  if (nodeId !== null && after[minIsrSetting] !== undefined)
    return {
      error: "INVALID_CONFIG",
      message: `Broker-level ${minIsrSetting} cannot be altered: all nodes need one value. Change it for all nodes, or for a topic.`
    }
  if (nodeId === null && before[minIsrSetting] !== undefined && after[minIsrSetting] === undefined)
    return { error: "INVALID_CONFIG", message: `Cluster-level ${minIsrSetting} cannot be removed: all nodes need one value. Set it to 1 for the default.` }
  return undefined
}

/** Gives all nodes one `min.insync.replicas`, and takes away that of single nodes, which an earlier version accepted. */
export const fixMinInSyncReplicas = (cluster: Cluster, { count }: CommandOf<"FixMinInSyncReplicas">): Decision => {
  const all = nodeConfigsOf(cluster, null)
  if (all[minIsrSetting] !== undefined) return Either.right([])
  const own = [...HashMap.entries(cluster.nodeConfigs)]
    .filter(([nodeId, configs]) => nodeId !== null && configs[minIsrSetting] !== undefined)
    .sort(([one], [other]) => Number(one) - Number(other))
    .map(([nodeId, { [minIsrSetting]: _, ...configs }]) => new NodeConfigsChanged({ nodeId, configs }))
  return Either.right([new NodeConfigsChanged({ nodeId: null, configs: { ...all, [minIsrSetting]: String(count) } }), ...own])
}

/** As for topics. INVALID_REQUEST for a node that is not there, and for what cannot be changed while it runs. */
export const changeNodeConfigs = (cluster: Cluster, command: CommandOf<"ChangeNodeConfigs">): Decision =>
  Either.gen(function* () {
    const nodeId = yield* nodeNamed(cluster, command.node)
    const before = nodeConfigsOf(cluster, nodeId)
    const configs = yield* changedConfigs(before, command, nodeId === null ? findClusterSetting : findDynamicSetting)
    const fault = minIsrFault(nodeId, before, configs) ?? tooManyConfigs(cluster, before, configs)
    if (fault !== undefined) return yield* Either.left(fault)
    if (command.validateOnly || sameConfigs(configs, before)) return []
    const event = new NodeConfigsChanged({ nodeId, configs })
    return [event, ...(nodeId === null ? eventsOfMinIsr(evolve(cluster, event)) : [])]
  })
