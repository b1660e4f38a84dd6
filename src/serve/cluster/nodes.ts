import { addressOn, type Broker, brokerOf, type Cluster, liveBrokers } from "../../../domain/cluster/state.ts"
import { groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { streamOf } from "../../../domain/group/groups.ts"
import { groupId } from "../../../domain/group/id.ts"

/** A node as clients see it. */
export interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

/** Returns the broker with its address on a listener; undefined if it has no such listener. */
export const nodeOn = (broker: Broker, listener: string | undefined): Node | undefined => {
  const address = addressOn(broker, listener)
  return address === undefined ? undefined : { nodeId: broker.id, host: address.host, port: address.port, rack: broker.rack }
}

/**
 * Where clients may turn that came through `listener`: every unfenced broker that has it, by rising id. A leader that is a process of its own is no broker and is not among them, as Kafka's controllers
 * are not; one that shares a process with a broker is listed as that broker.
 */
export const nodesOf = (cluster: Cluster, listener: string | undefined): ReadonlyArray<Node> =>
  liveBrokers(cluster).flatMap((broker) => nodeOn(broker, listener) ?? [])

/** The leader as a node: clients read its journal there. Undefined before the first election. */
export const leaderNode = ({ leader }: Cluster): Node | undefined =>
  leader === undefined ? undefined : { nodeId: leader.nodeId, host: leader.host, port: leader.port, rack: null }

/** The serving brokers that clients cannot reach through `listener`: mostly none. */
export const unreachable = (cluster: Cluster, listener: string | undefined): ReadonlySet<number> =>
  new Set(liveBrokers(cluster).flatMap((broker) => (addressOn(broker, listener) === undefined ? [broker.id] : [])))

/** Whether the leader is one of the nodes that clients see. */
export const leaderIsListed = (cluster: Cluster): boolean => cluster.leader !== undefined && brokerOf(cluster, cluster.leader.nodeId)?.fenced === false

/**
 * The controller that clients use: the leader itself if it is a broker too, otherwise a broker, which relays requests to the leader. It prefers `self`, this node, since the client has
 * reached it. -1 while no broker serves.
 */
export const controllerOf = (cluster: Cluster, self: number): number => {
  if (cluster.leader !== undefined && leaderIsListed(cluster)) return cluster.leader.nodeId
  if (brokerOf(cluster, self)?.fenced === false) return self
  return liveBrokers(cluster)[0]?.id ?? -1
}

/**
 * Returns a function from a key to a node that relays requests to the cluster's leader: the leader itself if it is a broker too; otherwise a broker, by the hash of the key.
 * Many clients look a coordinator up among the nodes of Metadata, so it has to be one of them. Undefined while no broker serves.
 */
export const relays = (cluster: Cluster, listener: string | undefined): ((key: string) => Node | undefined) => {
  const nodes = nodesOf(cluster, listener)
  const leader = leaderIsListed(cluster) ? nodes.find(({ nodeId }) => nodeId === cluster.leader?.nodeId) : undefined
  return (key) => leader ?? (nodes.length === 0 ? undefined : nodes[streamOf(groupId(key), nodes.length)])
}

/**
 * Returns a function from a group's name to its coordinator: the leader of its stream's partition; while the leader of the cluster coordinates all groups, as `relays`.
 * Undefined while there is none.
 */
export const coordinators = (cluster: Cluster, listener: string | undefined): ((key: string) => Node | undefined) => {
  const topic = groupPartitions(cluster)
  if (topic === undefined) return relays(cluster, listener)
  return (key) => {
    const partition = topic.partitions.at(streamOf(groupId(key), topic.partitions.length))
    const broker = partition === undefined || partition.leader === -1 ? undefined : brokerOf(cluster, partition.leader)
    return broker === undefined ? undefined : nodeOn(broker, listener)
  }
}
