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
  /** -1: nobody leads it. */
  readonly leader: number
  /** -1: the node that answered does not say. */
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
  /** When it was learned, ms. */
  readonly at: number
}

/** What this client knows of the cluster. Never changed in place: who holds one holds one moment. */
export interface ClusterView {
  readonly clusterId: string | null
  /** -1: not known. */
  readonly controllerId: number
  readonly nodes: ReadonlyMap<number, NodeView>
  readonly topics: ReadonlyMap<string, TopicView>
  readonly namesById: ReadonlyMap<string, string>
  /** What the last answer said about topics that it did not describe. */
  readonly topicErrors: ReadonlyMap<string, KafkaError>
}

export const nothingKnown: ClusterView = {
  clusterId: null,
  controllerId: -1,
  nodes: new Map(),
  topics: new Map(),
  namesById: new Map(),
  topicErrors: new Map()
}

type Answer = ResponseOf<typeof Metadata>

const topicView = (topic: Answer["topics"][number], name: string, at: number, before: TopicView | undefined): TopicView => {
  const count = topic.partitions.length
  const partitions: Array<PartitionView | undefined> = Array.from({ length: count })
  for (const partition of topic.partitions) {
    // Indexes count from 0: one beyond the number of partitions leaves a gap before it.
    if (partition.partitionIndex < 0 || partition.partitionIndex >= count) continue
    const known = before?.topicId === topic.topicId ? before.partitions[partition.partitionIndex] : undefined
    // Nodes learn of elections at different times: an answer with an older epoch than the one known must not take the client back.
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
  // A gap would mean that the answer is not about all partitions; what follows it cannot be placed.
  const whole: Array<PartitionView> = []
  for (const partition of partitions) {
    if (partition === undefined) break
    whole.push(partition)
  }
  return { name, topicId: topic.topicId, internal: topic.isInternal, partitions: whole, at }
}

/** What is known after an answer that came at `at`. `asked`: the topics that were asked for; "all" makes the client forget those that are gone. */
export const learn = (view: ClusterView, answer: Answer, asked: ReadonlyArray<string> | "all", at: number): ClusterView => {
  const topics = asked === "all" ? new Map<string, TopicView>() : new Map(view.topics)
  const topicErrors = new Map(asked === "all" ? [] : view.topicErrors)
  // A topic that the request did not name is ignored: it would stay in the view for the life of the client.
  const wanted = asked === "all" ? undefined : new Set(asked)
  for (const topic of answer.topics) {
    const name = topic.name
    if (name === null || wanted?.has(name) === false) continue
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
    clusterId: answer.clusterId ?? view.clusterId,
    controllerId: answer.controllerId,
    nodes: new Map(answer.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { id: nodeId, address: { host, port }, rack }])),
    topics,
    namesById,
    topicErrors
  }
}

/** The view without what it said about a topic, so that the next question about it goes to the cluster. */
export const forget = (view: ClusterView, name: string): ClusterView => {
  const topics = new Map(view.topics)
  topics.delete(name)
  const topicErrors = new Map(view.topicErrors)
  topicErrors.delete(name)
  return { ...view, topics, topicErrors }
}
