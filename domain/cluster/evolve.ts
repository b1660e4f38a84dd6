import { HashMap } from "effect"
import { bug } from "../kernel/bug.ts"
import { type ByTag, entryOf } from "../kernel/decider.ts"
import type { BrokerId, TopicName } from "../kernel/id.ts"
import { nodeConfigsOf } from "./config/node.ts"
import { resourceConfigsOf } from "./config/resource.ts"
import type * as E from "./event.ts"
import type { Event } from "./event.ts"
import * as replication from "./replication/evolve.ts"
import { brokerOf, type Cluster, charactersOf, noBrokers, noPartitions, resourceCharactersOf, type Topic, topicById } from "./state.ts"
import { leadersFound, leadersLost } from "./topic/leadership.ts"

/** Kafka's metrics do not distinguish '.' from '_': names that differ in them alone collide. */
export const unifiedName = (name: string): string => name.replaceAll(".", "_")
export const hasCollisionCharacters = (name: string): boolean => name.includes(".") || name.includes("_")

/** `load` with `change` more partitions on each of the brokers. */
const withLoad = (load: Cluster["load"], brokers: ReadonlyArray<BrokerId>, change: number): Cluster["load"] => {
  let changed = load
  for (const broker of brokers) {
    const now = HashMap.get(changed, broker)
    changed = HashMap.set(changed, broker, (now._tag === "Some" ? now.value : 0) + change)
  }
  return changed
}

const setFenced = (cluster: Cluster, { brokerEpoch, brokerId, v }: E.BrokerFenced | E.BrokerUnfenced, fenced: boolean): Cluster => {
  const broker = brokerOf(cluster, brokerId)
  if (broker === undefined || broker.epoch !== brokerEpoch) return cluster
  const brokers = HashMap.set(cluster.brokers, brokerId, { ...broker, fenced })
  if (v === 1) return { ...cluster, brokers }
  return { ...cluster, brokers, topics: fenced ? leadersLost(cluster.topics, brokerId) : leadersFound(cluster.topics, brokerId) }
}

const brokerRemoved = (cluster: Cluster, { brokerEpoch, brokerId }: E.BrokerRemoved): Cluster => {
  if (brokerOf(cluster, brokerId)?.epoch !== brokerEpoch) return cluster
  return { ...cluster, brokers: HashMap.remove(cluster.brokers, brokerId), topics: leadersLost(cluster.topics, brokerId) }
}

const topicAdded = (cluster: Cluster, { topic, topicId, configs }: E.TopicAdded): Cluster => ({
  ...cluster,
  topicIds: HashMap.set(cluster.topicIds, topic, topicId),
  topics: HashMap.set(cluster.topics, topicId, { name: topic, topicId, partitions: noPartitions, configs }),
  configCharacters: cluster.configCharacters + charactersOf(configs),
  unifiedNames: hasCollisionCharacters(topic) ? HashMap.set(cluster.unifiedNames, unifiedName(topic), topic) : cluster.unifiedNames
})

const partitionPlaced = (cluster: Cluster, event: E.PartitionPlaced): Cluster => {
  const topic = topicById(cluster, event.topicId)
  if (topic === undefined || event.partition > topic.partitions.length) return cluster
  const before = topic.partitions.at(event.partition)
  if (before !== undefined) replication.assertRising(event.topicId, event.partition, event.leaderEpoch, before.leaderEpoch)
  const partition = {
    replicas: event.replicas,
    isr: event.isr,
    elr: noBrokers,
    adding: noBrokers,
    removing: noBrokers,
    leader: event.leader,
    leaderEpoch: event.leaderEpoch,
    partitionEpoch: before === undefined ? 0 : before.partitionEpoch + 1
  }
  const partitions = before === undefined ? topic.partitions.push(partition) : topic.partitions.set(event.partition, partition)
  return {
    ...cluster,
    topics: HashMap.set(cluster.topics, event.topicId, { ...topic, partitions }),
    partitionCount: cluster.partitionCount + (before === undefined ? 1 : 0),
    load: withLoad(before === undefined ? cluster.load : withLoad(cluster.load, before.replicas, -1), event.replicas, 1)
  }
}

const partitionLeaderChanged = (cluster: Cluster, { topicId, partition, leader, leaderEpoch, isr }: E.PartitionLeaderChanged): Cluster => {
  const topic = topicById(cluster, topicId)
  const before = topic?.partitions.at(partition)
  if (topic === undefined || before === undefined) return cluster
  replication.assertRising(topicId, partition, leaderEpoch, before.leaderEpoch)
  const partitions = topic.partitions.set(partition, {
    ...before,
    isr,
    leader,
    leaderEpoch,
    partitionEpoch: before.partitionEpoch + 1
  })
  return { ...cluster, topics: HashMap.set(cluster.topics, topicId, { ...topic, partitions }) }
}

const topicConfigsChanged = (cluster: Cluster, { topicId, configs }: E.TopicConfigsChanged): Cluster => {
  const topic = topicById(cluster, topicId)
  if (topic === undefined) return cluster
  const configCharacters = cluster.configCharacters - charactersOf(topic.configs) + charactersOf(configs)
  return { ...cluster, configCharacters, topics: HashMap.set(cluster.topics, topicId, { ...topic, configs }) }
}

const nodeConfigsChanged = (cluster: Cluster, { configs, nodeId }: E.NodeConfigsChanged): Cluster => ({
  ...cluster,
  configCharacters: cluster.configCharacters - charactersOf(nodeConfigsOf(cluster, nodeId)) + charactersOf(configs),
  nodeConfigs: Object.keys(configs).length === 0 ? HashMap.remove(cluster.nodeConfigs, nodeId) : HashMap.set(cluster.nodeConfigs, nodeId, configs)
})

const resourceConfigsChanged = (cluster: Cluster, { configs, kind, name }: E.ResourceConfigsChanged): Cluster => {
  const before = cluster.resourceConfigs[kind]
  const after = Object.keys(configs).length === 0 ? HashMap.remove(before, name) : HashMap.set(before, name, configs)
  const size = resourceCharactersOf(name, configs) - resourceCharactersOf(name, resourceConfigsOf(cluster, kind, name))
  return { ...cluster, configCharacters: cluster.configCharacters + size, resourceConfigs: { ...cluster.resourceConfigs, [kind]: after } }
}

const loadWithout = (load: Cluster["load"], topic: Topic): Cluster["load"] => {
  const counts = new Map<BrokerId, number>()
  for (const { replicas } of topic.partitions) for (const broker of replicas) counts.set(broker, (counts.get(broker) ?? 0) + 1)
  let changed = load
  for (const [broker, count] of counts) changed = withLoad(changed, [broker], -count)
  return changed
}

const topicRemoved = (cluster: Cluster, { topicId }: E.TopicRemoved): Cluster => {
  const topic = topicById(cluster, topicId)
  if (topic === undefined) return cluster
  const unified = unifiedName(topic.name)
  const named: TopicName | undefined = HashMap.has(cluster.unifiedNames, unified) ? HashMap.unsafeGet(cluster.unifiedNames, unified) : undefined
  return {
    ...cluster,
    topics: HashMap.remove(cluster.topics, topicId),
    topicIds: HashMap.remove(cluster.topicIds, topic.name),
    unifiedNames: named === topic.name ? HashMap.remove(cluster.unifiedNames, unified) : cluster.unifiedNames,
    partitionCount: cluster.partitionCount - topic.partitions.length,
    configCharacters: cluster.configCharacters - charactersOf(topic.configs),
    load: loadWithout(cluster.load, topic)
  }
}

const changes: ByTag<Cluster, Event, Cluster> = {
  ClusterFounded: (cluster, { clusterId }) => ({ ...cluster, clusterId }),
  GroupStreamsFixed: (cluster, { count }) => ({ ...cluster, groupStreams: count }),
  LeaderElected: (cluster, { nodeId, host, port, epoch }) => ({ ...cluster, leader: { nodeId, host, port, epoch } }),
  BrokerRegistered: (cluster, { brokerId, incarnationId, brokerEpoch, directories, eventLevel, host, listeners, port, rack }) => {
    const before = brokerOf(cluster, brokerId)?.epoch ?? -1
    // R5: under an epoch that falls, an older process of the broker would be the registered one.
    if (brokerEpoch < before) bug(`broker ${brokerId}: broker epoch ${brokerEpoch} follows ${before}`)
    const broker = {
      id: brokerId,
      incarnationId,
      epoch: brokerEpoch,
      host,
      port,
      rack,
      fenced: true,
      ...(listeners === undefined ? {} : { listeners }),
      ...(eventLevel === undefined ? {} : { eventLevel }),
      ...(directories === undefined ? {} : { directories })
    }
    return { ...cluster, brokers: HashMap.set(cluster.brokers, brokerId, broker) }
  },
  BrokerUnfenced: (cluster, event) => setFenced(cluster, event, false),
  BrokerFenced: (cluster, event) => setFenced(cluster, event, true),
  BrokerRemoved: brokerRemoved,
  TopicAdded: topicAdded,
  PartitionPlaced: partitionPlaced,
  PartitionLeaderChanged: partitionLeaderChanged,
  TopicConfigsChanged: topicConfigsChanged,
  NodeConfigsChanged: nodeConfigsChanged,
  ResourceConfigsChanged: resourceConfigsChanged,
  TopicRemoved: topicRemoved,
  // A level never falls: kinds of events that were allowed stay so.
  EventLevelRaised: (cluster, { level }) => ({ ...cluster, eventLevel: Math.max(level, cluster.eventLevel) }),
  ProducerIdsAllocated: (cluster, { first, count }) => ({ ...cluster, nextProducerId: first + BigInt(count) }),
  LeadersElected: replication.leadersElected,
  InSyncSetsChanged: replication.inSyncSetsChanged,
  LeaderElectedUncleanly: replication.leaderElectedUncleanly,
  // A report for operators: the partition is what the events about it say.
  RecordsLost: (cluster) => cluster,
  ReassignmentBegan: replication.reassignmentBegan,
  ReassignmentEnded: replication.reassignmentEnded,
  BrokerLeaving: replication.brokerLeaving,
  // The sets of these partitions follow as rows.
  ReplicasDisowned: (cluster) => cluster
}

/**
 * Returns the cluster after `event`: total, and the same on leader, broker and in tests. An event about a broker, topic
 * or partition that does not exist changes nothing but the index. Epochs never fall: an event that lowers one is a bug
 * of the leader that wrote it, and stops the node.
 */
export const evolve = (cluster: Cluster, event: Event): Cluster => ({ ...entryOf(changes, event)(cluster, event), index: cluster.index + 1 })
