import { Context } from "effect"
import type { NodeConfig, SettingName } from "../../domain/kernel/config.ts"
import type { Address } from "../ports/transport.ts"
import type { FindReadable } from "../serve/readable.ts"

/** What the program gives to a broker. */
export interface BrokerOptions {
  readonly nodeId: number
  /** Where the cluster's leader listens. */
  readonly leader: Address
  /** The other candidates for the leader's role, where there are several. */
  readonly otherLeaders?: ReadonlyArray<Address>
  /** The settings that the node starts with. A dynamic setting of this node overrides its value here. */
  readonly config: NodeConfig
  /** The settings of `config` that the operator set explicitly; default: those that differ from their defaults. */
  readonly written?: ReadonlySet<SettingName> | undefined
  /**
   * The incarnation id of this process: a secret UUID in Kafka's text, by which the leader recognizes the process.
   * Default: drawn from the runtime's random source.
   */
  readonly incarnationId?: string
  /**
   * Finds what clients may read from this node beside its partitions: the journal, where the leader runs in the same
   * process.
   */
  readonly alsoReadable?: FindReadable
}

/** The options of the broker, for the layers that it is made of. */
export class BrokerSettings extends Context.Tag("comanche-franz/broker/BrokerSettings")<BrokerSettings, BrokerOptions>() {}
