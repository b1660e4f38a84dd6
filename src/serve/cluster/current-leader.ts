import { type Broker, brokerOf, type Cluster, type Topic, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { isInternalId, isInternalName, metadataTopic, metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import type { Epoch, TopicId } from "../../../domain/kernel/id.ts"
import { leaderNode, type Node, nodeOn } from "./nodes.ts"

/** A topic as a request names it: by id from Fetch and Produce 13 on, by name before. */
export type TopicRef = { readonly name: string } | { readonly topicId: TopicId }

/** The current leader of a partition and its address (KIP-951), so that a client need not send Metadata first. */
interface CurrentLeader {
  readonly leaderId: number
  readonly leaderEpoch: Epoch
  /** Undefined while no broker leads. */
  readonly broker: Broker | undefined
  /** Its address where it is no broker: the cluster's leader, which leads its journal. */
  readonly node?: Node | undefined
}
/** Returns undefined for an unknown topic or partition. */
export type FindLeader = (topic: TopicRef, partition: number) => CurrentLeader | undefined

/** Whether a request names a topic that clients only read. */
export const isInternalTopic = (ref: TopicRef): boolean => ("topicId" in ref ? isInternalId(ref.topicId) : isInternalName(ref.name))

/** The topic that a request names, if the image has it. */
export const topicOf = (cluster: Cluster, ref: TopicRef): Topic | undefined =>
  "topicId" in ref ? topicById(cluster, ref.topicId) : topicByName(cluster, ref.name)

/** Reads the leader of a partition from the image. */
export const findLeader =
  (cluster: () => Cluster): FindLeader =>
  (ref, index) => {
    const now = cluster()
    const partition = topicOf(now, ref)?.partitions.at(index)
    if (partition === undefined) return undefined
    const { leader, leaderEpoch } = partition
    return { leaderId: leader, leaderEpoch, broker: leader === -1 ? undefined : brokerOf(now, leader) }
  }

/** As `findLeader`, and the cluster's leader for the partition of its journal. */
export const findLeaderOrController = (cluster: () => Cluster): FindLeader => {
  const find = findLeader(cluster)
  return (ref, index) => {
    const { leader } = cluster()
    if (leader === undefined || index !== 0 || !isJournal(ref)) return find(ref, index)
    return { leaderId: leader.nodeId, leaderEpoch: leader.epoch, broker: brokerOf(cluster(), leader.nodeId), node: leaderNode(cluster()) }
  }
}
const isJournal = (ref: TopicRef): boolean => ("topicId" in ref ? ref.topicId === metadataTopicId : ref.name === metadataTopic)

const none: ReadonlyArray<Node> = []

/** Collects the addresses of the leaders in one response, each node once. */
export class Endpoints {
  /** Made for the first leader: most responses name none. */
  private byNode: Map<number, Node> | undefined

  /** `listener`: the listener of the request, which selects the addresses of the nodes. */
  constructor(private readonly listener: string | undefined) {}

  /** Returns the leader in the form of the response, and notes its address. */
  note(leader: CurrentLeader | undefined): { readonly leaderId: number; readonly leaderEpoch: number } | undefined {
    if (leader === undefined) return undefined
    const node = leader.broker === undefined ? leader.node : nodeOn(leader.broker, this.listener)
    if (node !== undefined) (this.byNode ??= new Map()).set(leader.leaderId, node)
    return { leaderId: leader.leaderId, leaderEpoch: leader.leaderEpoch }
  }
  list(): ReadonlyArray<Node> {
    return this.byNode === undefined ? none : [...this.byNode.values()]
  }
}
