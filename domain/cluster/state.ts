import { HashMap, Option } from "effect"
import type { ResourceKind } from "../kernel/config.ts"
import type { BrokerId, Epoch, TopicId, TopicName } from "../kernel/id.ts"
import { Vector } from "../kernel/vector.ts"
import { type BrokerListener, baseEventLevel } from "./event.ts"

export interface Broker {
  readonly id: BrokerId
  readonly incarnationId: string
  readonly epoch: Epoch
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly fenced: boolean
  /**
   * All its listeners, the one between nodes first. Absent: that one alone, at `host` and `port`, by the name
   * PLAINTEXT.
   */
  readonly listeners?: ReadonlyArray<BrokerListener> | undefined
  /** The highest event level that it knows. Absent: the base level. */
  readonly eventLevel?: number | undefined
  /**
   * It shuts down: the journal index of the event that says so. It leads only what no other broker can lead, and joins
   * no in-sync set. Absent: it does not.
   */
  readonly leavingAt?: number | undefined
  /** The ids of its log directories. Absent: the broker did not name them. */
  readonly directories?: ReadonlyArray<string> | undefined
}
export interface Partition {
  /** The preferred leader first. During a reassignment also those that are added or removed. */
  readonly replicas: ReadonlyArray<BrokerId>
  /** Replicas that have every record below the high watermark, and that the high watermark waits for. */
  readonly isr: ReadonlyArray<BrokerId>
  /**
   * Eligible leader replicas (KIP-966): no members of the in-sync set, but they have every record below the high
   * watermark, since they left the set when it was smaller than min.insync.replicas.
   */
  readonly elr: ReadonlyArray<BrokerId>
  /** Replicas that a reassignment adds: when all of them are in sync, it completes. */
  readonly adding: ReadonlyArray<BrokerId>
  /** Replicas that a reassignment removes when it completes. */
  readonly removing: ReadonlyArray<BrokerId>
  /** -1: the partition has no leader, and every request for it gets LEADER_NOT_AVAILABLE or NOT_LEADER_OR_FOLLOWER. */
  readonly leader: BrokerId | -1
  readonly leaderEpoch: Epoch
  /** Rises by one at each change of the partition. */
  readonly partitionEpoch: Epoch
}
export interface Topic {
  readonly name: TopicName
  readonly topicId: TopicId
  /** By partition index: `partitions.at(3)`. Partitions 0 to length - 1 exist. */
  readonly partitions: Vector<Partition>
  /** What was set for this topic alone; what is absent has the node's default. */
  readonly configs: Readonly<Record<string, string>>
}
/** The node that leads the cluster: its controller, and the coordinator of all groups until brokers coordinate them. */
interface Leader {
  readonly nodeId: BrokerId
  readonly host: string
  readonly port: number
  readonly epoch: Epoch
}

/** All that the leader decides from, and the image from which every broker responds: the fold of the same events. */
export interface Cluster {
  /** How many events this state is the fold of: the journal index of the next one. */
  readonly index: number
  readonly clusterId: string | undefined
  /** Streams of the journal over which the groups are spread. */
  readonly groupStreams: number | undefined
  readonly leader: Leader | undefined
  /** Kinds of events up to this level are written (`event-level.ts`). */
  readonly eventLevel: number
  readonly brokers: HashMap.HashMap<BrokerId, Broker>
  readonly topics: HashMap.HashMap<TopicId, Topic>
  readonly topicIds: HashMap.HashMap<TopicName, TopicId>
  /**
   * Settings of nodes that were changed while the cluster runs, by node id; null means all nodes. A node without any
   * may be absent.
   */
  readonly nodeConfigs: HashMap.HashMap<BrokerId | null, Readonly<Record<string, string>>>
  /** What was set for groups, and for subscriptions to clients' metrics, by their names; one without any is absent. */
  readonly resourceConfigs: Readonly<Record<ResourceKind, HashMap.HashMap<string, Readonly<Record<string, string>>>>>
  readonly nextProducerId: bigint
  /** Derived: partitions of all topics. */
  readonly partitionCount: number
  /** Derived: characters of all settings of topics and nodes, names and values. */
  readonly configCharacters: number
  /** Derived: how many partitions have a replica on a broker, for placement. A broker without any may be absent. */
  readonly load: HashMap.HashMap<BrokerId, number>
  /**
   * Derived: names with '.' or '_', by their form with '_' alone; two that share a form would share their metrics'
   * names, which Kafka refuses.
   */
  readonly unifiedNames: HashMap.HashMap<string, TopicName>
}

export const initial: Cluster = {
  index: 0,
  clusterId: undefined,
  groupStreams: undefined,
  leader: undefined,
  eventLevel: baseEventLevel,
  brokers: HashMap.empty(),
  topics: HashMap.empty(),
  topicIds: HashMap.empty(),
  nodeConfigs: HashMap.empty(),
  resourceConfigs: { group: HashMap.empty(), "client-metrics": HashMap.empty() },
  nextProducerId: 0n,
  partitionCount: 0,
  configCharacters: 0,
  load: HashMap.empty(),
  unifiedNames: HashMap.empty()
}

export const noPartitions: Vector<Partition> = Vector.empty
export const noBrokers: ReadonlyArray<BrokerId> = []

/**
 * Where the broker is reached through its listener of that name, or without a name through the one between nodes;
 * undefined where it has no such listener.
 */
export const addressOn = ({ host, listeners, port }: Broker, listener: string | undefined): { readonly host: string; readonly port: number } | undefined => {
  if (listeners !== undefined && listener !== undefined) return listeners.find(({ name }) => name === listener)
  return listener === undefined || listener === soleListener ? { host, port } : undefined
}
/** The name of a broker's listener that was registered without one. */
export const soleListener = "PLAINTEXT"

/** The broker, if it is registered. */
export const brokerOf = (cluster: Cluster, id: number): Broker | undefined => {
  const found = HashMap.get(cluster.brokers, id as BrokerId)
  return found._tag === "Some" ? found.value : undefined
}
/** The topic of that id, if it is there. */
export const topicById = (cluster: Cluster, topicId: string): Topic | undefined => {
  const found = HashMap.get(cluster.topics, topicId as TopicId)
  return found._tag === "Some" ? found.value : undefined
}
/** The topic of that name, if it is there. */
export const topicByName = (cluster: Cluster, name: string): Topic | undefined => {
  const found = HashMap.get(cluster.topicIds, name as TopicName)
  return found._tag === "Some" ? topicById(cluster, found.value) : undefined
}
/** The brokers that serve, by rising id. */
export const liveBrokers = (cluster: Cluster): ReadonlyArray<Broker> =>
  [...HashMap.values(cluster.brokers)].filter((broker) => !broker.fenced).sort((one, other) => one.id - other.id)
/** Whether no partition has a replica on the broker. */
export const isIdle = (cluster: Cluster, id: BrokerId): boolean => replicasOn(cluster, id) === 0
/** How many replicas the broker has. */
export const replicasOn = (cluster: Cluster, id: BrokerId): number => Option.getOrElse(HashMap.get(cluster.load, id), () => 0)
/** Characters that settings have, names and values. */
export const resourceCharactersOf = (name: string, configs: Readonly<Record<string, string>>): number => {
  const size = charactersOf(configs)
  return size === 0 ? 0 : size + name.length
}
export const charactersOf = (configs: Readonly<Record<string, string>>): number => {
  let characters = 0
  for (const name in configs) characters += name.length + (configs[name] as string).length
  return characters
}
/** All topics, by name. */
export const sortedTopics = ({ topics }: Cluster): ReadonlyArray<Topic> => {
  let sorted = sortedOf.get(topics)
  if (sorted === undefined) {
    sorted = [...HashMap.values(topics)].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
    sortedOf.set(topics, sorted)
  }
  return sorted
}
/** By the topics that were sorted: clients that list them do so again and again while nothing changes. */
const sortedOf = new WeakMap<Cluster["topics"], ReadonlyArray<Topic>>()
