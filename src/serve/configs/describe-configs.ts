import { Either } from "effect"
import { nodeLayers } from "../../../domain/cluster/config/node.ts"
import { resourceConfigsOf } from "../../../domain/cluster/config/resource.ts"
import { type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { internalTopicByName } from "../../../domain/cluster/topic/internal.ts"
import { parseTopicName } from "../../../domain/cluster/topic/name.ts"
import { changedNames, type NodeConfig, type NodeLayers, type ResourceKind, type SettingName } from "../../../domain/kernel/config.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { DescribeConfigs } from "../../protocol/message/32-describe-configs.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { Sliced, Stride } from "../../wire/sliced.ts"
import { type ConfigEntry, clusterEntries, loggerEntries, nodeEntries, resourceEntries, topicEntries } from "./config-entries.ts"

type Request = RequestOf<typeof DescribeConfigs>
type Response = ResponseDraft<typeof DescribeConfigs>
type Resource = Request["resources"][number]
type Result = Response["results"][number]

export interface DescribeConfigsOptions {
  readonly cluster: () => Cluster
  readonly nodeId: number
  /** The settings that the node started with. */
  readonly config: NodeConfig
  /** The settings that were set explicitly; default: those that differ from their default. */
  readonly written?: ReadonlySet<SettingName> | undefined
}

const layersOf = ({ cluster, config, nodeId, written }: DescribeConfigsOptions): NodeLayers =>
  nodeLayers(config, written ?? changedNames(config), cluster(), nodeId)

/** Kinds of resources, in Kafka's numbers. */
const resource = { topic: 2, broker: 4, loggers: 8, clientMetrics: 16, group: 32 }

const refused = ({ resourceName, resourceType }: Resource, error: KafkaError, errorMessage: string): Result => ({
  errorCode: errorCode(error),
  errorMessage,
  resourceType,
  resourceName,
  configs: []
})

const described = ({ resourceName, resourceType, configurationKeys }: Resource, request: Request, entries: ReadonlyArray<ConfigEntry>): Result => {
  const wanted = configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys)
  const configs = entries
    .filter(({ name }) => wanted === undefined || wanted.has(name))
    .map(({ name, value, source, type, documentation, readOnly, sensitive, synonyms }) => ({
      name,
      value,
      readOnly,
      configSource: source,
      isSensitive: sensitive === true,
      synonyms: request.includeSynonyms ? synonyms : [],
      configType: type,
      documentation: request.includeDocumentation ? documentation : null
    }))
  return { errorCode: 0, errorMessage: null, resourceType, resourceName, configs }
}

const topicResult = (layers: NodeLayers, options: DescribeConfigsOptions, wanted: Resource, request: Request): Result => {
  const name = wanted.resourceName
  const own = internalTopicByName(options.cluster(), name)
  if (own !== undefined) return described(wanted, request, topicEntries(layers, own.configs))
  const legal = parseTopicName(name)
  if (Either.isLeft(legal)) return refused(wanted, legal.left.error, legal.left.message)
  const topic = topicByName(options.cluster(), name)
  if (topic === undefined) return refused(wanted, "UNKNOWN_TOPIC_OR_PARTITION", `There is no topic '${name}'.`)
  return described(wanted, request, topicEntries(layers, topic.configs))
}

const brokerResult = (layers: NodeLayers, options: DescribeConfigsOptions, wanted: Resource, request: Request): Result => {
  const { resourceName } = wanted
  if (resourceName === String(options.nodeId)) return described(wanted, request, nodeEntries(layers))
  // The empty name requests the cluster-wide dynamic settings of all nodes.
  if (resourceName === "") return described(wanted, request, clusterEntries(layers))
  return refused(
    wanted,
    "INVALID_REQUEST",
    `This is node ${options.nodeId}, which knows its own settings alone: ask node ${resourceName.slice(0, 60)} for its.`
  )
}

/** A node has one logger, whose level cannot be changed. */
const loggersResult = (layers: NodeLayers, options: DescribeConfigsOptions, wanted: Resource, request: Request): Result =>
  wanted.resourceName === ""
    ? refused(wanted, "INVALID_REQUEST", "Broker id must not be empty")
    : wanted.resourceName === String(options.nodeId)
      ? described(wanted, request, loggerEntries)
      : brokerResult(layers, options, wanted, request)

/** A group, or a client metrics subscription, which need not exist to be described. */
const namedResult = (kind: ResourceKind, layers: NodeLayers, options: DescribeConfigsOptions, wanted: Resource, request: Request): Result =>
  wanted.resourceName === ""
    ? refused(wanted, "INVALID_REQUEST", kind === "group" ? "Group name must not be empty" : "Client metrics subscription name must not be empty")
    : described(wanted, request, resourceEntries(layers, kind, resourceConfigsOf(options.cluster(), kind, wanted.resourceName)))

const resultOf = (layers: NodeLayers, options: DescribeConfigsOptions, wanted: Resource, request: Request): Result => {
  if (wanted.resourceType === resource.topic) return topicResult(layers, options, wanted, request)
  if (wanted.resourceType === resource.loggers) return loggersResult(layers, options, wanted, request)
  if (wanted.resourceType === resource.broker) return brokerResult(layers, options, wanted, request)
  if (wanted.resourceType === resource.group) return namedResult("group", layers, options, wanted, request)
  if (wanted.resourceType === resource.clientMetrics) return namedResult("client-metrics", layers, options, wanted, request)
  const known = "2 is topics, 4 is nodes, 8 is loggers, 16 is client metrics, 32 is groups"
  return refused(wanted, "INVALID_REQUEST", `Resources of type ${wanted.resourceType} have no settings: ${known}.`)
}
/** Settings, and half resources, that are described between two pauses. */
const costPerStep = 128

/**
 * DescribeConfigs: the settings of topics, from the image, and of the node that is asked, each with where its value comes from (KIP-226) and, on request,
 * what it means (KIP-569). Errors of a resource: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST for other kinds and other nodes.
 */
export const describeConfigs =
  (options: DescribeConfigsOptions) =>
  (request: Request): Sliced<Response> =>
    new Sliced(function* () {
      const layers = layersOf(options)
      // A duplicate resource is described once: the description is many times as long as the name.
      const seen = new Set<string>()
      const results: Array<Result> = []
      const stride = new Stride(costPerStep)
      for (const wanted of request.resources) {
        const key = `${wanted.resourceType} ${wanted.resourceName}`
        const isRepeated = seen.has(key)
        seen.add(key)
        const result = isRepeated ? undefined : resultOf(layers, options, wanted, request)
        if (result !== undefined) results.push(result)
        if (stride.takes(2 + (result?.configs.length ?? 0))) yield
      }
      return { results }
    })

/** As CreateTopics answers a new topic's settings (version 5 on). */
export const createdConfigs = (options: DescribeConfigsOptions, own: Readonly<Record<string, string>>) =>
  topicEntries(layersOf(options), own).map(({ name, value, source }) => ({ name, value, readOnly: false, configSource: source, isSensitive: false }))
