import { Context, Effect } from "effect"
import { brokerOf, type Cluster, type Partition, topicById } from "../../domain/cluster/state.ts"
import { BrokerId, type Epoch } from "../../domain/kernel/id.ts"
import type { DisownReason } from "../protocol/message/63-broker-heartbeat.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { Image } from "./image/image.ts"
import { keyOf, type TopicIdPartition } from "./partition/topic-id-partition.ts"

interface DisownedReplica extends TopicIdPartition {
  readonly reason: DisownReason
}

interface Noted extends DisownedReplica {
  /** The leader epoch of the partition when the log was lost. */
  readonly leaderEpoch: Epoch
}

/** Replicas that one heartbeat disowns at most. While there are more, the broker asks to stay fenced. */
const disownedMax = 10_000

/** Whether the in-sync set or the ELR names the broker: the cluster may elect it as leader for what its log had. */
export const isVouchedFor = ({ elr, isr }: Partition, id: BrokerId): boolean => isr.includes(id) || elr.includes(id)

/** Whether another broker has all acknowledged records, too. */
const hasOtherCopy = ({ elr, isr }: Partition, id: BrokerId): boolean => isr.some((each) => each !== id) || elr.some((each) => each !== id)

/** Whether another broker of the in-sync set can lead. */
const hasOtherLeader = (cluster: Cluster, { isr }: Partition, id: BrokerId): boolean =>
  isr.some((each) => {
    const broker = each === id ? undefined : brokerOf(cluster, each)
    return broker !== undefined && !broker.fenced && broker.leavingAt === undefined
  })

/**
 * The replicas of this broker that do not have what they acknowledged, because their logs are missing, damaged or in an
 * offline directory, and those that take no records. The heartbeats report them, so that the cluster elects none of them.
 *
 * The last copy is never disowned: its partition stays unavailable until the operator restores the log or elects
 * another replica uncleanly. A replica that takes no records is reported while another in-sync replica can lead.
 */
export class DisownedReplicas extends Context.Tag("comanche-franz/broker/DisownedReplicas")<
  DisownedReplicas,
  {
    /** Calls `heard` when a replica is added: the next heartbeat cannot wait. */
    readonly whenAdded: (heard: () => void) => void
    readonly add: (replica: TopicIdPartition, reason: DisownReason) => void
    /** The log is open, or the replica is removed. */
    readonly forget: (replica: TopicIdPartition) => void
    /**
     * Whether a damaged log may be replaced by a new one: the leader epoch has risen since, so that the partition's
     * leader does not count what the broker fetched with the damaged one.
     */
    readonly isForgotten: (replica: TopicIdPartition) => boolean
    /** The logs take no records: their disk is full. */
    readonly cannotWrite: (replicas: Iterable<TopicIdPartition>) => void
    readonly canWrite: (replicas: Iterable<TopicIdPartition>) => void
    readonly isUnwritable: (replica: TopicIdPartition) => boolean
    /** Those that the image still counts as in sync or eligible, and whether there are more than one heartbeat may have. */
    readonly due: () => { readonly replicas: ReadonlyArray<DisownedReplica>; readonly hasMore: boolean }
  }
>() {
  static readonly make: Effect.Effect<DisownedReplicas["Type"], never, BrokerSettings | Image> = Effect.gen(function* () {
    const { nodeId } = yield* BrokerSettings
    const { cluster } = yield* Image
    const self = BrokerId.make(nodeId)
    let heard = (): void => undefined
    const all = new Map<string, Noted>()
    const unwritable = new Map<string, TopicIdPartition>()
    const placedOf = ({ partition, topicId }: TopicIdPartition): Partition | undefined => topicById(cluster(), topicId)?.partitions.at(partition)
    const isDue = (noted: Noted): boolean => {
      const placed = placedOf(noted)
      if (placed === undefined) return false
      if (isVouchedFor(placed, self)) return hasOtherCopy(placed, self)
      return noted.reason === "damage" && placed.replicas.length > 1 && placed.leaderEpoch <= noted.leaderEpoch
    }
    const due = () => {
      const replicas: Array<DisownedReplica> = []
      for (const each of all.values()) {
        if (!isDue(each)) continue
        if (replicas.length === disownedMax) return { replicas, hasMore: true }
        replicas.push(each)
      }
      // The broker serves others: it is not fenced for more of these, which the next heartbeats report.
      for (const each of unwritable.values()) {
        const placed = placedOf(each)
        if (replicas.length === disownedMax) break
        if (placed?.isr.includes(self) === true && hasOtherLeader(cluster(), placed, self)) replicas.push({ ...each, reason: "unwritable" })
      }
      return { replicas, hasMore: false }
    }
    return {
      whenAdded: (next) => void (heard = next),
      add: ({ partition, topicId }, reason) => {
        all.set(keyOf({ topicId, partition }), { topicId, partition, reason, leaderEpoch: placedOf({ topicId, partition })?.leaderEpoch ?? -1 })
        heard()
      },
      isForgotten: (replica) => {
        const noted = all.get(keyOf(replica))
        const placed = placedOf(replica)
        return noted !== undefined && placed !== undefined && placed.leaderEpoch > noted.leaderEpoch
      },
      forget: (replica) => void all.delete(keyOf(replica)),
      cannotWrite: (replicas) => {
        for (const { partition, topicId } of replicas) unwritable.set(keyOf({ topicId, partition }), { topicId, partition })
        heard()
      },
      canWrite: (replicas) => {
        for (const each of replicas) unwritable.delete(keyOf(each))
      },
      isUnwritable: (replica) => unwritable.size > 0 && unwritable.has(keyOf(replica)),
      due
    }
  })
}
