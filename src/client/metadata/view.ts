import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import type { Address } from "../../ports/transport.ts"
import type { Metadata } from "../../protocol/message/03-metadata.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"

export interface NodeView {
  readonly id: number
  readonly address: Address
  readonly rack: string | null
}
export interface PartitionView {
  readonly partition: number
  /** -1: the partition has no leader. */
  readonly leader: number
  /** -1: the node that responded does not say. */
  readonly leaderEpoch: number
  readonly replicas: ReadonlyArray<number>
  readonly isr: ReadonlyArray<number>
}
export interface TopicView {
  readonly name: string
  /** All zero where the cluster has no topic ids. */
  readonly topicId: string
  readonly internal: boolean
  /** By partition index, without gaps. */
  readonly partitions: ReadonlyArray<PartitionView>
  /** When the response came, ms since 1970. */
  readonly at: number
}

/** The metadata of one point in time. Never changed in place. */
export interface ClusterView {
  readonly clusterId: string | null
  /** -1: not known. */
  readonly controllerId: number
  readonly nodes: ReadonlyMap<number, NodeView>
  readonly topics: ReadonlyMap<string, TopicView>
  readonly namesById: ReadonlyMap<string, string>
  /** The errors of topics that the last response did not describe. */
  readonly topicErrors: ReadonlyMap<string, KafkaError>
}

export const emptyView: ClusterView = {
  clusterId: null,
  controllerId: -1,
  nodes: new Map(),
  topics: new Map(),
  namesById: new Map(),
  topicErrors: new Map()
}

type MetadataResponse = ResponseOf<typeof Metadata>

const topicView = (topic: MetadataResponse["topics"][number], name: string, at: number, before: TopicView | undefined): TopicView => {
  const count = topic.partitions.length
  const partitions: Array<PartitionView | undefined> = Array.from({ length: count })
  for (const partition of topic.partitions) {
    // Indexes count from 0: one beyond the number of partitions leaves a gap before it.
    if (partition.partitionIndex < 0 || partition.partitionIndex >= count) continue
    const known = before?.topicId === topic.topicId ? before.partitions[partition.partitionIndex] : undefined
    // Nodes learn of elections at different times: a response with an older leader epoch must not replace the newer
    // leader.
    const older = known !== undefined && partition.leaderEpoch !== -1 && partition.leaderEpoch < known.leaderEpoch
    partitions[partition.partitionIndex] = older
      ? known
      : {
          partition: partition.partitionIndex,
          leader: partition.leaderId,
          leaderEpoch: partition.leaderEpoch,
          replicas: partition.replicaNodes,
          isr: partition.isrNodes
        }
  }
  // A gap means that the response does not describe all partitions.
  const whole: Array<PartitionView> = []
  for (const partition of partitions) {
    if (partition === undefined) break
    whole.push(partition)
  }
  return { name, topicId: topic.topicId, internal: topic.isInternal, partitions: whole, at }
}

/**
 * Returns the view after a response that came at `at`, ms since 1970. `requested`: the topics of the request; "all"
 * removes those that the cluster no longer has.
 */
export const updated = (view: ClusterView, response: MetadataResponse, requested: ReadonlyArray<string> | "all", at: number): ClusterView => {
  const topics = requested === "all" ? new Map<string, TopicView>() : new Map(view.topics)
  const topicErrors = new Map(requested === "all" ? [] : view.topicErrors)
  // A topic that the request did not name is ignored: it would stay in the view for the life of the client.
  const names = requested === "all" ? undefined : new Set(requested)
  for (const topic of response.topics) {
    const name = topic.name
    if (name === null || names?.has(name) === false) continue
    const error = kafkaError(topic.errorCode)
    if (error === "NONE") {
      topics.set(name, topicView(topic, name, at, view.topics.get(name)))
      topicErrors.delete(name)
    } else {
      if (error === "UNKNOWN_TOPIC_OR_PARTITION" || error === "UNKNOWN_TOPIC_ID") topics.delete(name)
      topicErrors.set(name, error)
    }
  }
  const namesById = new Map<string, string>()
  for (const topic of topics.values()) if (topic.topicId !== zeroTopicId) namesById.set(topic.topicId, topic.name)
  return {
    clusterId: response.clusterId ?? view.clusterId,
    controllerId: response.controllerId,
    nodes: new Map(response.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { id: nodeId, address: { host, port }, rack }])),
    topics,
    namesById,
    topicErrors
  }
}

/** Returns the view without a topic, so that the next lookup of it requests it from the cluster. */
export const withoutTopic = (view: ClusterView, name: string): ClusterView => {
  const topics = new Map(view.topics)
  topics.delete(name)
  const topicErrors = new Map(view.topicErrors)
  topicErrors.delete(name)
  return { ...view, topics, topicErrors }
}
