import { Effect } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { DescribeConfigs } from "../../protocol/message/32-describe-configs.ts"
import { DescribeCluster } from "../../protocol/message/60-describe-cluster.ts"
import { DescribeTopicPartitions } from "../../protocol/message/75-describe-topic-partitions.ts"
import { type Client, expectNone } from "../cluster/client.ts"
import { describedWithinMs, startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { type CallError, failure, type NotAuthorized, UnknownTopic } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { PartitionView, TopicView } from "../metadata/view.ts"

type Failure = CallError | NotAuthorized

export interface NodeDescription {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly isController: boolean
  /** Registered, but it serves no partition until the controller unfences it. */
  readonly isFenced: boolean
}
export interface ClusterDescription {
  readonly clusterId: string
  readonly controllerId: number
  readonly nodes: ReadonlyArray<NodeDescription>
}

/** Returns the id, the controller and the nodes of the cluster, also the fenced ones where it names them (KIP-1073). */
export const describeCluster = (client: Client): Effect.Effect<ClusterDescription, Failure> =>
  client.persistently(
    Effect.gen(function* () {
      // Version 2 and later name fenced brokers.
      const response = yield* client
        .callAny(DescribeCluster, { ...plainly, includeFencedBrokers: true }, { versionMin: 2 })
        .pipe(Effect.catchTag("UnsupportedByCluster", () => client.callAny(DescribeCluster, plainly)))
      yield* expectNone(kafkaError(response.errorCode), "The cluster", response.errorMessage)
      const nodes = response.brokers.map(({ brokerId, host, isFenced, port, rack }) => ({
        id: brokerId,
        host,
        port,
        rack,
        isController: brokerId === response.controllerId,
        isFenced
      }))
      return { clusterId: response.clusterId, controllerId: response.controllerId, nodes: nodes.sort((a, b) => a.id - b.id) }
    })
  )
const plainly = { includeClusterAuthorizedOperations: false }

/** Returns all topics, by name; also the internal ones with `internal`. */
export const listTopics = (client: Client, { internal = false } = {}): Effect.Effect<ReadonlyArray<TopicView>, CallError> =>
  Effect.map(client.persistently(client.metadata.refresh("all")), ({ topics }) =>
    [...topics.values()].filter((topic) => internal || !topic.internal).sort((a, b) => (a.name < b.name ? -1 : 1))
  )

export interface PartitionDescription extends PartitionView {
  /**
   * The offset of the oldest message, and the one after the newest; undefined where the partition has no leader, or it is
   * not reached within a second. The end is undefined also where the leader does not know it: fewer replicas than
   * min.insync.replicas are in sync.
   */
  readonly first: number | undefined
  readonly end: number | undefined
  /**
   * Replicas that may lead where no in-sync one can (the ELR of KIP-966); empty while enough replicas are in sync.
   * Undefined where all replicas of the topic are in sync, or the cluster does not say.
   */
  readonly eligible?: ReadonlyArray<number> | undefined
}
export interface TopicDescription {
  readonly name: string
  readonly topicId: string
  readonly internal: boolean
  readonly partitions: ReadonlyArray<PartitionDescription>
  readonly configs: ReadonlyArray<ConfigEntry>
}

/** How long a new topic may be unknown to the node that responds, ms. */
const newTopicMs = 1000

/** Returns the partitions of a topic with their offsets, and its settings. */
export const describeTopic = (client: Client, name: string): Effect.Effect<TopicDescription, TopicError> =>
  Effect.gen(function* () {
    const found = yield* client.metadata.freshTopic(name, false, newTopicMs)
    const led = found.partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => ({ topic: name, partition }))
    const [firsts, ends] = yield* Effect.all([offsetsAt(client, led, "earliest"), offsetsAt(client, led, "latest")], { concurrency: 2 })
    // Leaders may have changed until their offsets were known.
    const { internal, partitions, topicId } = client.metadata.view().topics.get(name) ?? found
    const configs = yield* topicConfigs(client, name)
    const eligible = partitions.some(({ isr, replicas }) => isr.length < replicas.length) ? yield* eligibleReplicas(client, name) : undefined
    return {
      name,
      topicId,
      internal,
      configs,
      partitions: partitions.map((view) => {
        const key = topicPartitionKey({ topic: name, partition: view.partition })
        return { ...view, first: firsts.get(key), end: ends.get(key), ...(eligible === undefined ? {} : { eligible: eligible.get(view.partition) ?? [] }) }
      })
    }
  })

/** Returns the eligible replicas of a topic's partitions; undefined where the cluster has no such request. */
const eligibleReplicas = (client: Client, name: string): Effect.Effect<ReadonlyMap<number, ReadonlyArray<number>> | undefined, CallError> => {
  const page = (cursor: { readonly topicName: string; readonly partitionIndex: number } | null) =>
    client.callAny(DescribeTopicPartitions, { topics: [{ name }], cursor })
  return client
    .persistently(
      Effect.gen(function* () {
        const found = new Map<number, ReadonlyArray<number>>()
        let answer = yield* page(null)
        let from = 0
        for (;;) {
          for (const { partitions } of answer.topics)
            for (const { eligibleLeaderReplicas, partitionIndex } of partitions) found.set(partitionIndex, eligibleLeaderReplicas ?? [])
          const next = answer.nextCursor
          // A cursor that does not advance would never end.
          if (next === null || next.partitionIndex <= from) return found
          from = next.partitionIndex
          answer = yield* page(next)
        }
      })
    )
    .pipe(Effect.catchTag("UnsupportedByCluster", () => Effect.succeed(undefined)))
}

const offsetsAt = (client: Client, partitions: ReadonlyArray<TopicPartition>, at: "earliest" | "latest") =>
  startOffsets(
    client,
    partitions.map((one) => ({ ...one, at })),
    "read_uncommitted",
    describedWithinMs
  )

export interface ConfigEntry {
  readonly name: string
  /** Null: the cluster does not show the value (a secret). */
  readonly value: string | null
  /** Set for this topic or node alone (or, where all nodes were asked for, for all of them). */
  readonly isOwn: boolean
  /**
   * Where the value comes from: the topic, a change at run time for the node or for all nodes, the file of the node, or
   * the default.
   */
  readonly source: ConfigSource
  readonly readOnly: boolean
  readonly documentation: string | null
}
const topicResource = 2
/** The source of a value, at the index of its number in DescribeConfigs. */
const sources = ["default", "topic", "node", "cluster", "file"] as const
type ConfigSource = (typeof sources)[number]

interface Described extends Pick<ConfigEntry, "name" | "value" | "readOnly" | "documentation"> {
  readonly configSource: number
}
/** Returns the settings of a response, by name. `own`: the source of the resource that was asked for. */
export const configEntries = (configs: ReadonlyArray<Described>, own: ConfigSource): ReadonlyArray<ConfigEntry> =>
  configs
    .map(({ configSource, documentation, name, readOnly, value }) => {
      const source = sources[configSource] ?? "default"
      return { name, value, isOwn: source === own, source, readOnly, documentation }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))

/** Returns the settings of a topic, by name. */
export const topicConfigs = (client: Client, topic: string): Effect.Effect<ReadonlyArray<ConfigEntry>, Failure | UnknownTopic> =>
  client.persistently(
    Effect.gen(function* () {
      const resources = [{ resourceType: topicResource, resourceName: topic, configurationKeys: null }]
      const response = yield* client.callAny(DescribeConfigs, { resources })
      const result = response.results[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "UNKNOWN_TOPIC_OR_PARTITION") return yield* new UnknownTopic({ topic })
      if (error !== "NONE" || result === undefined) return yield* failure(error, `The settings of '${topic}'`, result?.errorMessage ?? null)
      return configEntries(result.configs, "topic")
    })
  )
