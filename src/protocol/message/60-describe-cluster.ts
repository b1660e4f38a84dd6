import { api, array, bool, errorCode, int8, int32, nullable, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * A tagged field of our own, in the body of a request and of its response: a request with it asks for the metrics of the node that answers, which are in the response's
 * field as Prometheus' text. Other nodes ignore it (decision 53).
 */
export const metricsTag = 0x4643

/**
 * The cluster's id, its controller and its nodes (KIP-700).
 *
 * Version 1 asks for brokers (1) or controllers (2) (KIP-919), 2 can tell fenced brokers too (KIP-1073).
 */
export const DescribeCluster = api(
  { key: 60, name: "DescribeCluster", versions: [0, 2], flexible: 0 },
  {
    includeClusterAuthorizedOperations: bool,
    endpointType: since(1, int8, 1),
    includeFencedBrokers: since(2, bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    endpointType: since(1, int8, 1),
    clusterId: text,
    controllerId: withDefault(int32, -1),
    brokers: array(
      struct({
        brokerId: int32,
        host: text,
        port: int32,
        rack: withDefault(nullable(text), null),
        isFenced: since(2, bool, false)
      })
    ),
    clusterAuthorizedOperations: withDefault(int32, -2147483648)
  }
)
