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

/**
 * What the cluster may be asked to do. Text from a client is unchecked: `decide` checks it. Time and chance (ids) are
 * data.
 */
export type Command = Data.TaggedEnum<{
  /** Gives a new cluster its id; nothing happens to one that has it. */
  FoundCluster: { readonly clusterId: string }
  /** Over how many streams the journal spreads the groups; nothing happens to a cluster where that is fixed. */
  FixGroupStreams: { readonly count: number }
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
    /** Partitions that one broker may hold (`franz.broker.partitions.max`). */
    readonly partitionsPerBrokerMax: number
    readonly assignments: ReadonlyArray<Assignment>
    readonly configs: ReadonlyArray<ConfigEntry>
    readonly validateOnly: boolean
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
  /** `brokerEpoch` undefined: the leader allocates a block for itself. */
  AllocateProducerIds: { readonly brokerId: number; readonly brokerEpoch: number | undefined; readonly count: number }
}>
export const Command = Data.taggedEnum<Command>()
