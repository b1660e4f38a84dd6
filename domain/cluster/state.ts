import { HashMap } from "effect"
import type { BrokerId, Epoch, TopicId, TopicName } from "../kernel/id.ts"

export interface Broker {
  readonly id: BrokerId
  readonly incarnationId: string
  readonly epoch: Epoch
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly fenced: boolean
}
export interface Partition {
  readonly replicas: ReadonlyArray<BrokerId>
  readonly isr: ReadonlyArray<BrokerId>
  /** -1: nobody leads, every request for it is answered LEADER_NOT_AVAILABLE or NOT_LEADER_OR_FOLLOWER. */
  readonly leader: BrokerId | -1
  readonly leaderEpoch: Epoch
  /** Rises by one at each change of the partition. */
  readonly partitionEpoch: Epoch
}
export interface Topic {
  readonly name: TopicName
  readonly topicId: TopicId
  readonly partitions: ReadonlyArray<Partition>
  /** What was set for this topic alone; what is absent has the node's default. */
  readonly configs: Readonly<Record<string, string>>
}
/** The node that leads the cluster: its controller, and the coordinator of every group. */
export interface Leader {
  readonly nodeId: BrokerId
  readonly host: string
  readonly port: number
  readonly epoch: Epoch
}

/** All that the leader decides from, and the image that every broker answers from: the fold of the same events. */
export interface Cluster {
  readonly clusterId: string | undefined
  readonly leader: Leader | undefined
  readonly brokers: HashMap.HashMap<BrokerId, Broker>
  readonly topics: HashMap.HashMap<TopicId, Topic>
  readonly topicIds: HashMap.HashMap<TopicName, TopicId>
  readonly nextProducerId: bigint
}

export const initial: Cluster = {
  clusterId: undefined,
  leader: undefined,
  brokers: HashMap.empty(),
  topics: HashMap.empty(),
  topicIds: HashMap.empty(),
  nextProducerId: 0n
}
