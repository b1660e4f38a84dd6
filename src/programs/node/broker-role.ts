import { Context, Effect, Layer, type Scope } from "effect"
import { Broker, layer } from "../../broker/broker.ts"
import type { BrokerOptions } from "../../broker/broker-settings.ts"
import type { Endpoint, NodeOptions } from "../../cli/node/roles.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import { Cryptography } from "../../ports/cryptography.ts"
import type { ForeignDirectory, LogFault, LogStore } from "../../ports/log-store.ts"
import type { Transport } from "../../ports/transport.ts"
import { uuidText } from "../../protocol/codec/uuid.ts"
import type { LeaderOverFiles } from "./leader-role.ts"

type Services = LogStore | Transport | Checksum | Compression | Scope.Scope

const optionsOf = ({ config, written }: NodeOptions, leader: Endpoint, otherLeaders: ReadonlyArray<Endpoint> = []) =>
  Effect.map(Cryptography, ({ randomBytes }) => ({
    nodeId: config["node.id"],
    leader,
    otherLeaders,
    config,
    written,
    // By this id the leader knows the process again, so that it cannot be guessed.
    incarnationId: uuidText(randomBytes(16), 0)
  }))

const build = (options: BrokerOptions): Effect.Effect<Broker["Type"], LogFault | ForeignDirectory, Services> =>
  Effect.map(Layer.build(layer(options)), (context) => Context.get(context, Broker))

/** A broker of the leader at one of these addresses, until the scope closes. It does not listen yet. */
export const openBroker = (options: NodeOptions, leader: Endpoint, otherLeaders?: ReadonlyArray<Endpoint>) =>
  Effect.flatMap(optionsOf(options, leader, otherLeaders), build)

/**
 * A broker beside the leader of its own node, which serves the leader's journal too. `at` is where that leader is
 * reached, once it listens.
 */
export const openBrokerOfLeader = (options: NodeOptions, at: Endpoint, { find }: Pick<LeaderOverFiles, "find">) =>
  Effect.flatMap(optionsOf(options, at), (own) => build({ ...own, alsoReadable: find }))
