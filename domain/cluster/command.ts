import { Data } from "effect"
import type { NodeConfig, ResourceKind } from "../kernel/config.ts"
import type { BrokerId, Epoch, TopicId } from "../kernel/id.ts"
import type { BrokerListener } from "./event.ts"

/** One setting as a client asked for it. */
export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
}
/**
 * One change of a setting: `set` gives it a value, `delete` restores the default, `append` and `subtract` change the
 * entries of a list.
 */
export interface ConfigChange {
  readonly name: string
  readonly operation: "set" | "delete" | "append" | "subtract"
  /** Ignored by `delete`. */
  readonly value: string | null
}
/** Replicas for one partition, chosen by the client. */
export interface Assignment {
  readonly partition: number
  readonly replicas: ReadonlyArray<number>
}
/** A partition by its topic's name, as a client writes it. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}
/** An in-sync set that a partition leader asks for, with the epochs under which it does. */
export interface InSyncSetRequest {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  /** With the broker epochs of the fetches that showed the replicas to be in sync (KIP-903). */
  readonly isr: ReadonlyArray<{ readonly brokerId: number; readonly brokerEpoch: number }>
}

/**
 * What the cluster may be asked to do. Text from a client is unchecked: `decide` checks it. Time and chance (ids) are
 * data.
 */
export type Command = Data.TaggedEnum<{
  /** Gives a new cluster its id; nothing happens to one that has it. */
  FoundCluster: { readonly clusterId: string }
  /** Over how many streams the journal spreads the groups; nothing happens to a cluster where that is fixed. */
  FixGroupStreams: { readonly count: number }
  /**
   * The `min.insync.replicas` of all nodes, where they have none yet, and no single node has one of its own: partition
   * leaders and the cluster's leader need the same number (KAFKA-16540). Nothing happens where all nodes have one.
   */
  FixMinInSyncReplicas: { readonly count: number }
  /** The node that holds the journal under `epoch` leads, and is reached at this address. */
  ElectLeader: { readonly nodeId: BrokerId; readonly host: string; readonly port: number; readonly epoch: Epoch }
  /**
   * A broker process starts: `incarnationId` is the digest of what it drew at its start. Its broker epoch is the
   * journal index of the event. `clusterId` is empty when it does not know its cluster. `isConnected`: the process that
   * is registered under the id has a connection to the leader now.
   */
  RegisterBroker: {
    readonly brokerId: number
    readonly incarnationId: string
    readonly clusterId: string
    readonly host: string
    readonly port: number
    readonly rack: string | null
    /** Its listeners, the one between nodes first, if it has more than one by the name PLAINTEXT. */
    readonly listeners?: ReadonlyArray<BrokerListener> | undefined
    readonly isConnected: boolean
    /** The highest event level that the broker knows. Absent: the base level. */
    readonly eventLevel?: number | undefined
    /** The ids of its log directories. */
    readonly directories?: ReadonlyArray<string> | undefined
    /**
     * Whether its logs have every record that it acknowledged: it syncs before it acknowledges, or was stopped cleanly.
     * Absent: they may not, and the broker leaves the in-sync sets and ELRs of partitions with more than one replica.
     */
    readonly keepsWhatItAcknowledged?: boolean | undefined
  }
  /** A broker lives, and has read the journal up to and with `metadataOffset`. */
  BrokerHeartbeat: {
    readonly brokerId: number
    readonly brokerEpoch: number
    readonly metadataOffset: number
    readonly wantFence: boolean
    readonly wantShutDown: boolean
  }
  /** A broker was silent for its whole session. Nothing happens when it has registered again since. */
  FenceBroker: { readonly brokerId: BrokerId; readonly brokerEpoch: Epoch }
  /**
   * A broker without partitions has sent no heartbeat for long. No event where it has a partition, is unfenced, or has
   * registered again since.
   */
  ForgetBroker: { readonly brokerId: BrokerId; readonly brokerEpoch: Epoch }
  /** An operator removes a broker's registration (UnregisterBroker). */
  UnregisterBroker: { readonly brokerId: number }
  /**
   * -1 for either number means the default, which the caller adds. With `validateOnly` the command is checked and has
   * no events.
   */
  AddTopic: {
    readonly topic: string
    readonly topicId: TopicId
    readonly partitionCount: number
    readonly replicationFactor: number
    readonly defaultPartitionCount: number
    /** The replicas of each partition where `replicationFactor` is -1 (`default.replication.factor`); absent: 1. */
    readonly defaultReplicationFactor?: number | undefined
    /** Partitions that one broker may hold (`franz.broker.partitions.max`). */
    readonly partitionsPerBrokerMax: number
    readonly assignments: ReadonlyArray<Assignment>
    /** The most replicas that a partition may have. Absent: `replicationFactorMax` of `bounds.ts`. */
    readonly replicationFactorMax?: number | undefined
    readonly configs: ReadonlyArray<ConfigEntry>
    readonly validateOnly: boolean
  }
  /**
   * Makes the topic `__group_metadata`, with a partition for each stream of groups: from its event on the leaders of its
   * partitions coordinate the groups, and the leader of the cluster coordinates none. It raises the event level
   * where that is necessary. No event where there is the topic.
   */
  AddGroupPartitions: {
    readonly replicationFactor: number
    /** `offsets.topic.segment.bytes`. */
    readonly segmentBytes: number
    readonly partitionsPerBrokerMax: number
  }
  /**
   * `count` is the number of partitions afterwards; `assignments` has the replicas of the new ones alone, in order, or
   * is null.
   */
  AddPartitions: {
    readonly topic: string
    readonly count: number
    readonly assignments: ReadonlyArray<ReadonlyArray<number>> | null
    readonly partitionsPerBrokerMax: number
    /** As in AddTopic. */
    readonly replicationFactorMax?: number | undefined
    readonly validateOnly: boolean
  }
  /**
   * Changes a topic's own settings one by one. With `replace` a setting that `changes` does not name gets its default.
   */
  ChangeTopicConfigs: {
    readonly topic: string
    readonly replace: boolean
    readonly changes: ReadonlyArray<ConfigChange>
    readonly validateOnly: boolean
  }
  /** As ChangeTopicConfigs, for one node, or by the empty name for all of them. */
  ChangeNodeConfigs: {
    readonly node: string
    readonly replace: boolean
    readonly changes: ReadonlyArray<ConfigChange>
    readonly validateOnly: boolean
  }
  /**
   * As ChangeTopicConfigs, for a group or a subscription to clients' metrics. `node` has the bounds of a group's
   * settings.
   */
  ChangeResourceConfigs: {
    readonly kind: ResourceKind
    readonly name: string
    readonly node: NodeConfig
    readonly replace: boolean
    readonly changes: ReadonlyArray<ConfigChange>
    readonly validateOnly: boolean
  }
  /** By name or by id. */
  RemoveTopic: { readonly topic: { readonly name: string } | { readonly topicId: TopicId } }
  /** Every node that is registered knows the kinds of events up to `level`: the leader may write them. */
  RaiseEventLevel: { readonly level: number }
  /** A partition leader asks for other in-sync sets (AlterPartition). */
  AlterInSyncSets: {
    readonly brokerId: number
    readonly brokerEpoch: number
    readonly partitions: ReadonlyArray<InSyncSetRequest>
  }
  /** Elects leaders (ElectLeaders). `partitions` null: all partitions. */
  ElectLeaders: {
    readonly kind: "preferred" | "unclean"
    readonly partitions: ReadonlyArray<TopicPartition> | null
    /** The client that asks, or the setting because of which the leader does. */
    readonly commandedBy: string
  }
  /**
   * Elects preferred leaders where brokers lead fewer than `100 - imbalancePercentMax` percent of the partitions that
   * prefer them; at most `electionsMax`.
   */
  BalanceLeaders: { readonly imbalancePercentMax: number; readonly electionsMax: number }
  /** Gives partitions other replicas (AlterPartitionReassignments). A reassignment that is in progress is replaced. */
  ReassignPartitions: {
    readonly partitions: ReadonlyArray<TopicPartition & { readonly replicas: ReadonlyArray<number> }>
    /** Whether a partition may get more or fewer replicas than it has. */
    readonly allowReplicationFactorChange: boolean
    readonly partitionsPerBrokerMax: number
    readonly replicationFactorMax?: number | undefined
  }
  /** Returns partitions to the replicas that they had before their reassignments began. */
  CancelReassignment: { readonly partitions: ReadonlyArray<TopicPartition> }
  /** A broker's logs for these partitions are missing, damaged or offline, or take no records ("unwritable": the disk is full). */
  DisownReplicas: {
    readonly brokerId: number
    readonly brokerEpoch: number
    readonly reason: "disk" | "damage" | "missing" | "unwritable"
    readonly partitions: ReadonlyArray<{ readonly topicId: string; readonly partition: number }>
  }
  /** Moves the replicas of a fenced broker to other brokers, so that at most `movesMax` of them move at a time. */
  ReplaceBroker: { readonly brokerId: BrokerId; readonly movesMax: number; readonly partitionsPerBrokerMax: number }
  /** A replica removed records below its own high watermark: `from` to `to - 1`. */
  ReportLostRecords: {
    readonly brokerId: number
    readonly brokerEpoch: number
    readonly topicId: string
    readonly partition: number
    readonly leaderEpoch: number
    readonly from: number
    readonly to: number
  }
  /** `brokerEpoch` undefined: the leader allocates a block for itself. */
  AllocateProducerIds: { readonly brokerId: number; readonly brokerEpoch: number | undefined; readonly count: number }
}>
export const Command = Data.taggedEnum<Command>()
