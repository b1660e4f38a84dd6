import { Effect, Layer } from "effect"
import { type Broker, layer } from "../../broker/broker.ts"
import type { Endpoint, NodeOptions } from "../../cli/node/roles.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import { Cryptography } from "../../ports/cryptography.ts"
import type { ForeignDirectory, LogFault, LogStore } from "../../ports/log-store.ts"
import type { Transport } from "../../ports/transport.ts"
import { uuidText } from "../../protocol/codec/uuid.ts"
import { LeaderRole } from "./leader-role.ts"

type Services = LogStore | Transport | Cryptography | Checksum | Compression

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

/** A broker of the leader at one of these addresses. It does not listen yet. */
export const layerBroker = (
  options: NodeOptions,
  leader: Endpoint,
  otherLeaders?: ReadonlyArray<Endpoint>
): Layer.Layer<Broker, LogFault | ForeignDirectory, Services> => Layer.unwrapEffect(Effect.map(optionsOf(options, leader, otherLeaders), layer))

/**
 * A broker beside the leader of its own node, which serves the leader's journal too. `leader` is where that leader is
 * reached, once it listens.
 */
export const layerBrokerOfLeader = (options: NodeOptions, leader: Endpoint): Layer.Layer<Broker, LogFault | ForeignDirectory, Services | LeaderRole> =>
  Layer.unwrapEffect(Effect.zipWith(LeaderRole, optionsOf(options, leader), ({ find }, own) => layer({ ...own, alsoReadable: find })))
