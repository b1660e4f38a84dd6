import { brokerOf, type Cluster, liveBrokers } from "../../domain/cluster/state.ts"

/** A node as clients are told of it. */
export interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/**
 * Where clients may turn: every broker that is let in, and the leader, by rising id. A leader that runs in one process with a broker has that broker's id,
 * and stands there once, at the address that the leader was elected with.
 */
export const nodesOf = (cluster: Cluster): ReadonlyArray<Node> => {
  const { leader } = cluster
  const brokers = liveBrokers(cluster).map(({ id, host, port, rack }) => ({ nodeId: id as number, host, port, rack }))
  if (leader === undefined) return brokers
  const rack = brokerOf(cluster, leader.nodeId)?.rack ?? null
  const others = brokers.filter(({ nodeId }) => nodeId !== leader.nodeId)
  return [...others, { nodeId: leader.nodeId, host: leader.host, port: leader.port, rack }].sort((one, other) => one.nodeId - other.nodeId)
}
