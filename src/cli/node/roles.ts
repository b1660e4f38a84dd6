import type { Effect, Scope } from "effect"
import type { NodeListeners } from "../../../domain/kernel/config/listener.ts"
import type { NodeConfig, SettingName } from "../../../domain/kernel/config.ts"
import type { CliFailure } from "../shell/failure.ts"

export interface Endpoint {
  readonly host: string
  readonly port: number
}
/** Where a broker looks for its leader. */
export interface LeaderAddresses {
  readonly leader: Endpoint
  /** The other candidates for the leader's role. */
  readonly otherLeaders?: ReadonlyArray<Endpoint>
}
/** The listeners, the settings and the data directories of one node. */
export interface NodeOptions {
  readonly config: NodeConfig
  /**
   * The settings of `config` that a file, a variable or the command line has. Default: those that differ from their
   * defaults.
   */
  readonly written?: ReadonlySet<SettingName> | undefined
  readonly listeners: NodeListeners
  /** No option and no setting has the node's id: the id of its data directory takes precedence over the default. */
  readonly idByDefault?: boolean
  /** The cluster's leader gives the broker its id, unless its data directory has one. */
  readonly idFromLeader?: boolean
  /** One directory or several, over which the logs of partitions are spread. */
  readonly data: readonly [string, ...Array<string>]
}
/** The options of a cluster in one process. */
export interface UpOptions extends NodeOptions {
  readonly brokers: number
  /** Where the leader keeps its journal: in files (the default), or in an etcd that the process starts. */
  readonly engine?: "files" | "etcd"
  /** The addresses of all candidates for the leader's role, where they share the journal of `franz.journal`; of further ones over an etcd that the process starts. */
  readonly candidates?: ReadonlyArray<Endpoint>
}
interface RunningNode {
  readonly id: number
  readonly roles: ReadonlyArray<"leader" | "broker">
  readonly address: string
  /** The addresses of its further listeners, by their names; absent where there are none. */
  readonly listeners?: Readonly<Record<string, string>>
}
/** Nodes that serve requests. */
export interface Running {
  /** `address` is the address for clients. */
  readonly nodes: ReadonlyArray<RunningNode>
  /** `franz.journal` of further candidates, where the process has started its engine. */
  readonly journal?: string
  /** Fails when a node had to stop by itself. */
  readonly stopped: Effect.Effect<never, CliFailure>
}
/** Starts the roles. The programs supply it, since only they import adapters. */
export interface Roles {
  /**
   * A leader and `brokers` brokers in this process. With its journal in files the first of them is on the leader's node and port. With a journal
   * that candidates share, the leader is one of them.
   */
  readonly up: (options: UpOptions) => Effect.Effect<Running, CliFailure, Scope.Scope>
  readonly brokerLead: (options: NodeOptions) => Effect.Effect<Running, CliFailure, Scope.Scope>
  /** Returns when the broker has registered with its leader; until then it logs what it waits for. */
  readonly broker: (options: NodeOptions & LeaderAddresses) => Effect.Effect<Running, CliFailure, Scope.Scope>
}
