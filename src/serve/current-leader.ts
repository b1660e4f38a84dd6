import { brokerOf, type Cluster, type Topic, topicById, topicByName } from "../../domain/cluster/state.ts"
import type { Epoch, TopicId } from "../../domain/kernel/id.ts"

/** A topic as a request names it: by id from Fetch and Produce 13 on, by name before. */
export type TopicRef = { readonly name: string } | { readonly topicId: TopicId }

/** Who leads a partition now, and where to reach it (KIP-951), so that a client need not ask for metadata first. */
export interface CurrentLeader {
  readonly leaderId: number
  readonly leaderEpoch: Epoch
  /** Absent while nobody leads. */
  readonly endpoint: { readonly nodeId: number; readonly host: string; readonly port: number; readonly rack: string | null } | undefined
}
/** Undefined where the topic or the partition is not known. */
export type FindLeader = (topic: TopicRef, partition: number) => CurrentLeader | undefined

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
    const broker = leader === -1 ? undefined : brokerOf(now, leader)
    const endpoint = broker === undefined ? undefined : { nodeId: leader, host: broker.host, port: broker.port, rack: broker.rack }
    return { leaderId: leader, leaderEpoch, endpoint }
  }

/** Collects the addresses that go with the leaders named in one answer, each node once. */
export class Endpoints {
  private readonly byNode = new Map<number, NonNullable<CurrentLeader["endpoint"]>>()

  /** The leader in the form of the answer, its address noted. */
  note(leader: CurrentLeader | undefined): { readonly leaderId: number; readonly leaderEpoch: number } | undefined {
    if (leader === undefined) return undefined
    if (leader.endpoint !== undefined) this.byNode.set(leader.leaderId, leader.endpoint)
    return { leaderId: leader.leaderId, leaderEpoch: leader.leaderEpoch }
  }
  list(): ReadonlyArray<NonNullable<CurrentLeader["endpoint"]>> {
    return [...this.byNode.values()]
  }
}
