import { brokerOf, type Cluster, type Partition, topicById } from "../../../domain/cluster/state.ts"
import type { BrokerId, Offset, TopicId } from "../../../domain/kernel/id.ts"
import type { ReplicaLog, StoredRecord } from "./replica-log.ts"

/** The number of a partition in a run. */
export type PartitionKey = number

/** The epochs at which a disk lost a log: a fetch from before counts until one of them rises. */
interface Loss {
  readonly brokerEpoch: number
  readonly leaderEpoch: number
}

/** A partition that was ever placed, with what clients were promised of it. */
export interface KnownPartition {
  readonly key: PartitionKey
  readonly topicId: TopicId
  readonly topic: string
  readonly index: number
  /** The index of the cluster's journal behind the event that placed it, and the brokers that were in sync by it. */
  readonly placedAt: number
  readonly firstIsr: ReadonlyArray<BrokerId>
  /** Records that clients saw, by offset: acknowledged for acks=all, or read. They stay (L1, L2). */
  readonly promised: Map<Offset, { readonly record: StoredRecord; readonly how: string }>
  /** The epoch of the last unclean election: what was promised under an earlier one may be lost. */
  uncleanEpoch: number
  /** Brokers whose disks lost what the cluster may count on, until it cannot any more. */
  readonly lostBy: Map<number, Loss>
  /** Of each broker that ever lost its log: records up to that number may have been on it. */
  readonly losses: Map<number, number>
  /** The logs that brokers deleted because the journal names them no longer, and the partition epoch from which on. */
  readonly deleted: Map<number, { readonly log: ReplicaLog; readonly partitionEpoch: number }>
  isRemoved: boolean
  /** The last leader that had no followers, and its high watermark: the records below need not be synced (decision 7). */
  single: { readonly broker: number; readonly highWatermark: Offset }
}

/** All partitions of a run. */
export class Partitions {
  private readonly known: Array<KnownPartition> = []
  private readonly keys = new Map<string, number>()
  private readonly byTopics = new WeakMap<Cluster["topics"], ReadonlyArray<number>>()

  add(topicId: TopicId, topic: string, index: number, placedAt: number, firstIsr: ReadonlyArray<BrokerId>): void {
    const key = this.known.length
    this.keys.set(`${topicId}-${index}`, key)
    this.known.push({
      key,
      topicId,
      topic,
      index,
      placedAt,
      firstIsr,
      promised: new Map(),
      uncleanEpoch: -1,
      lostBy: new Map(),
      losses: new Map(),
      deleted: new Map(),
      isRemoved: false,
      single: { broker: -1, highWatermark: 0 }
    })
  }
  of(key: PartitionKey): KnownPartition {
    return this.known[key] as KnownPartition
  }
  find(topicId: TopicId, index: number): KnownPartition | undefined {
    const key = this.keys.get(`${topicId}-${index}`)
    return key === undefined ? undefined : this.known[key]
  }
  nameOf(key: PartitionKey): string {
    const { index, topic } = this.of(key)
    return `${topic}-${index}`
  }
  /** The disk of a broker lost the log, by a state of the cluster; `number`: of the last record. */
  lost(key: PartitionKey, broker: number, cluster: Cluster, number: number): void {
    const known = this.of(key)
    known.losses.set(broker, number)
    known.lostBy.set(broker, { brokerEpoch: brokerOf(cluster, broker)?.epoch ?? -1, leaderEpoch: partitionIn(cluster, known)?.leaderEpoch ?? -1 })
  }
  /** Forgets losses that cannot matter any more: no set names the broker, and what it fetched before does not count. */
  settle({ lostBy }: KnownPartition, was: Partition, is: Partition, cluster: Cluster): void {
    for (const [broker, { brokerEpoch, leaderEpoch }] of lostBy) {
      const names = ({ elr, isr }: Partition): boolean => isr.includes(broker as BrokerId) || elr.includes(broker as BrokerId)
      const isOver = (brokerOf(cluster, broker)?.epoch ?? -1) > brokerEpoch || was.leaderEpoch > leaderEpoch
      if (isOver && !(names(was) && names(is))) lostBy.delete(broker)
    }
  }
  get present(): ReadonlyArray<KnownPartition> {
    return this.known.filter(({ isRemoved }) => !isRemoved)
  }

  /** The partitions of a state of the cluster, and those that it had before: their logs may be there. */
  keysOf(cluster: Cluster): ReadonlyArray<number> {
    const found = this.byTopics.get(cluster.topics)
    if (found !== undefined) return found
    const keys = this.known.map(({ key }) => key)
    this.byTopics.set(cluster.topics, keys)
    return keys
  }
}

/** Whether every replica that the cluster counts on has lost what it had: only operators can make the partition serve again. */
export const isLost = ({ lostBy }: KnownPartition, { elr, isr }: Partition): boolean => [...isr, ...elr].every((id) => lostBy.has(id))

/** A partition as a state of the cluster has it. */
export const partitionIn = (cluster: Cluster, { index, topicId }: KnownPartition): Partition | undefined => topicById(cluster, topicId)?.partitions.at(index)
