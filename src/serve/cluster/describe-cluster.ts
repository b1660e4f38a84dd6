import { HashMap } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address } from "../../ports/transport.ts"
import { type DescribeCluster, metricsTag } from "../../protocol/message/60-describe-cluster.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import type { RequestContext } from "../../wire/route.ts"
import { clusterOperations, operationsNotAsked } from "./authorized-operations.ts"
import { controllerOf, leaderNode, nodeOn, nodesOf } from "./nodes.ts"

type Request = RequestOf<typeof DescribeCluster>
type Response = ResponseDraft<typeof DescribeCluster>
type Listed = Response["brokers"][number]

/** The endpoint types (KIP-919): brokers, or controllers, which only the leader's own listener lists. */
const endpoint = { brokers: 1, controllers: 2 }

interface DescribeClusterOptions {
  /** The id of this node. */
  readonly nodeId: number
  readonly cluster: () => Cluster
  /** Whether this is the leader's own listener, which lists controllers too. */
  readonly tellsControllers: boolean
  /** The address of the controller's own listener, for admin clients; default: the leader's address. */
  readonly controllerAt?: () => Address | undefined
  /** Returns the metrics of this node in Prometheus' text format; absent where the node has none. */
  readonly metrics?: (() => string) | undefined
}

const utf8 = new TextEncoder()

/** The response with the metrics of this node, where the request asks for them. */
const withMetrics = (response: Response, { unknownTags = [] }: Request, metrics: DescribeClusterOptions["metrics"]): Response =>
  metrics !== undefined && unknownTags.some(({ tag }) => tag === metricsTag)
    ? { ...response, unknownTags: [{ tag: metricsTag, data: utf8.encode(metrics()) }] }
    : response

const failure = (error: KafkaError, errorMessage: string): Response => ({
  errorCode: errorCode(error),
  errorMessage,
  clusterId: "",
  brokers: []
})

/** The leader, which is the only controller. */
const controllers = (cluster: Cluster, at: Address | undefined): Response => {
  const leader = leaderNode(cluster)
  const { host, port } = at ?? leader ?? { host: "", port: 0 }
  return {
    errorCode: 0,
    endpointType: endpoint.controllers,
    clusterId: cluster.clusterId ?? "",
    controllerId: leader?.nodeId ?? -1,
    brokers: leader === undefined ? [] : [{ brokerId: leader.nodeId, host, port, rack: null }]
  }
}

/** Brokers that are registered but fenced, for clients that ask for them (KIP-1073). */
const fencedBrokers = (cluster: Cluster, listener: string | undefined): ReadonlyArray<Listed> =>
  [...HashMap.values(cluster.brokers)]
    .filter(({ fenced }) => fenced)
    .flatMap((broker) => nodeOn(broker, listener) ?? [])
    .map(({ nodeId, host, port, rack }) => ({ brokerId: nodeId, host, port, rack, isFenced: true }))

const described =
  ({ cluster: image, controllerAt = () => undefined, nodeId, tellsControllers }: DescribeClusterOptions) =>
  (request: Request, { listener }: Pick<RequestContext, "listener">): Response => {
    const cluster = image()
    if (request.endpointType === endpoint.controllers)
      return tellsControllers
        ? controllers(cluster, controllerAt())
        : failure("MISMATCHED_ENDPOINT_TYPE", "This listener is for clients: it tells about brokers, not controllers.")
    if (request.endpointType !== endpoint.brokers)
      return failure("UNSUPPORTED_ENDPOINT_TYPE", `There is no endpoint type ${request.endpointType}: 1 is brokers, 2 is controllers.`)
    const brokers = nodesOf(cluster, listener).map(({ nodeId, host, port, rack }): Listed => ({ brokerId: nodeId, host, port, rack }))
    const fenced = request.includeFencedBrokers ? fencedBrokers(cluster, listener) : []
    return {
      errorCode: 0,
      endpointType: request.endpointType,
      clusterId: cluster.clusterId ?? "",
      controllerId: controllerOf(cluster, nodeId),
      brokers: [...brokers, ...fenced],
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsNotAsked
    }
  }

/**
 * DescribeCluster (KIP-700): cluster id, the controller that clients use, and the brokers, from the image. The leader's own listener lists controllers too;
 * MISMATCHED_ENDPOINT_TYPE elsewhere, UNSUPPORTED_ENDPOINT_TYPE for what is neither.
 */
export const describeCluster = (options: DescribeClusterOptions) => {
  const describe = described(options)
  return (request: Request, context: Pick<RequestContext, "listener">): Response => withMetrics(describe(request, context), request, options.metrics)
}
