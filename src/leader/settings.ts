import { Context } from "effect"
import { partitionsPerClusterMax } from "../../domain/cluster/bounds.ts"
import type { NodeConfig, SettingName } from "../../domain/kernel/config.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import type { LogDirectory } from "../ports/log-store.ts"
import type { ClusterStandby } from "./journal/cluster-aggregate.ts"

/** What the program gives to a leader. */
export interface LeaderOptions {
  /** Another id than any broker's, unless leader and broker run in one process: then the same. */
  readonly nodeId: BrokerId
  readonly config: NodeConfig
  /** Partitions that one broker may hold, where `franz.broker.partitions.max` is 0; default: as many as a cluster. */
  readonly partitionsPerBrokerMax?: number
  /** The settings of `config` that the operator wrote down; default: every setting that differs from its default. */
  readonly written?: ReadonlySet<SettingName> | undefined
  /** The directories of the journal, for DescribeLogDirs; default: unknown. */
  readonly directories?: ReadonlyArray<LogDirectory>
  /** The cluster that wrote the journal's directory, if that is known: an empty journal is a lost one then. */
  readonly clusterId?: string | undefined
  /** The journal as this process has folded it while it stood by; default: it is replayed. */
  readonly standby?: ClusterStandby | undefined
  /** The highest event level that the leader raises to; default: the highest that this version knows. */
  readonly knownEventLevel?: number
}

/** The options of the leader, for the layers that it is made of. */
export class LeaderSettings extends Context.Tag("comanche-franz/leader/LeaderSettings")<LeaderSettings, LeaderOptions>() {}

/** Returns the number of partitions that one broker may hold. */
export const partitionsPerBrokerMax = (options: LeaderOptions): number =>
  options.config["franz.broker.partitions.max"] || (options.partitionsPerBrokerMax ?? partitionsPerClusterMax)
