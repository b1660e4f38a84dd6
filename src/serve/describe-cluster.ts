import { HashMap } from "effect"
import type { Cluster } from "../../domain/cluster/state.ts"
import { errorCode } from "../../domain/kernel/error-code.ts"
import type { DescribeCluster } from "../protocol/message/60-describe-cluster.ts"
import type { RequestOf, ResponseDraft } from "../protocol/type/wire.ts"
import { clusterOperations, operationsNotAsked } from "./authorized-operations.ts"
import { nodesOf } from "./nodes.ts"

type Request = RequestOf<typeof DescribeCluster>
type Response = ResponseDraft<typeof DescribeCluster>
type Listed = Response["brokers"][number]

/** Which nodes are asked for (KIP-919): brokers, or controllers, which have no listener of their own here. */
const endpoint = { brokers: 1, controllers: 2 }

/** Brokers that are registered but not let in, for those who ask for them (KIP-1073). */
const fencedBrokers = (cluster: Cluster, listed: ReadonlySet<number>): ReadonlyArray<Listed> =>
  [...HashMap.values(cluster.brokers)]
    .filter(({ id, fenced }) => fenced && !listed.has(id))
    .map(({ id, host, port, rack }) => ({ brokerId: id, host, port, rack, isFenced: true }))

/** DescribeCluster (KIP-700): cluster id, controller and nodes from the image. MISMATCHED_ENDPOINT_TYPE when controllers are asked for, UNSUPPORTED_ENDPOINT_TYPE for anything else. */
export const describeCluster =
  (image: () => Cluster) =>
  (request: Request): Response => {
    const cluster = image()
    if (request.endpointType !== endpoint.brokers) {
      const known = request.endpointType === endpoint.controllers
      const errorMessage = known
        ? "This listener is for clients: it tells about brokers, not controllers."
        : `There is no endpoint type ${request.endpointType}: 1 stands for brokers, 2 for controllers.`
      return {
        throttleTimeMs: 0,
        errorCode: errorCode(known ? "MISMATCHED_ENDPOINT_TYPE" : "UNSUPPORTED_ENDPOINT_TYPE"),
        errorMessage,
        clusterId: "",
        brokers: []
      }
    }
    const brokers = nodesOf(cluster).map(({ nodeId, host, port, rack }): Listed => ({ brokerId: nodeId, host, port, rack }))
    const fenced = request.includeFencedBrokers ? fencedBrokers(cluster, new Set(brokers.map(({ brokerId }) => brokerId))) : []
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      endpointType: request.endpointType,
      clusterId: cluster.clusterId ?? "",
      controllerId: cluster.leader?.nodeId ?? -1,
      brokers: [...brokers, ...fenced],
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsNotAsked
    }
  }
