import type { Effect, Scope } from "effect"
import type { NodeListeners } from "../../../domain/kernel/config/listener.ts"
import type { NodeConfig, SettingName } from "../../../domain/kernel/config.ts"
import type { CliFailure } from "../shell/failure.ts"

export interface Endpoint {
  readonly host: string
  readonly port: number
}
/** Where one node listens, what clients are told, and where its data lies. */
export interface NodeOptions {
  readonly config: NodeConfig
  /** What of `config` was written in a file, a variable or on the command line; default: whatever is not the default. */
  readonly written?: ReadonlySet<SettingName> | undefined
  readonly listeners: NodeListeners
  /** No option and no setting says the node's id: that of its data directory goes before the default. */
  readonly idByDefault?: boolean
  /** One directory or several, over which the logs of partitions are spread. */
  readonly data: readonly [string, ...Array<string>]
}
interface RunningNode {
  readonly id: number
  readonly roles: ReadonlyArray<"leader" | "broker">
  readonly address: string
  /** The addresses of its further listeners, by their names; absent where there are none. */
  readonly listeners?: Readonly<Record<string, string>>
}
/** Nodes that answer. */
export interface Running {
  /** `address` is where clients reach the node. */
  readonly nodes: ReadonlyArray<RunningNode>
  /** Does not return while the nodes work; fails when one had to stop by itself. */
  readonly stopped: Effect.Effect<never, CliFailure>
}
/** How the roles are started. The programs supply it, since only they know the adapters. */
export interface Roles {
  /** A leader and `brokers` brokers in this process, the first of them on the leader's node and port. */
  readonly up: (options: NodeOptions & { readonly brokers: number }) => Effect.Effect<Running, CliFailure, Scope.Scope>
  readonly brokerLead: (options: NodeOptions) => Effect.Effect<Running, CliFailure, Scope.Scope>
  /** Returns when the broker has registered with its leader; until then it says what it waits for. */
  readonly broker: (options: NodeOptions & { readonly leader: Endpoint }) => Effect.Effect<Running, CliFailure, Scope.Scope>
}
