import { Layer } from "effect"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerIdentity } from "../../../src/broker/broker-identity.ts"
import { BrokerSettings } from "../../../src/broker/broker-settings.ts"
import { Image } from "../../../src/broker/image/image.ts"
import { LeaderContact } from "../../../src/broker/leader-contact.ts"
import { MadeLogs } from "../../../src/broker/made-logs.ts"
import { OwnDirectories } from "../../../src/broker/own-directories.ts"
import type { Address } from "../../../src/ports/transport.ts"

/** The links of broker 1 to a leader, or to one of several candidates. */
export const layerContact = (leader: Address, config: Partial<NodeConfig> = {}, otherLeaders: ReadonlyArray<Address> = []) =>
  Layer.scoped(LeaderContact, LeaderContact.make).pipe(
    Layer.provideMerge(Layer.effect(BrokerIdentity, BrokerIdentity.make)),
    Layer.provideMerge(Layer.succeed(BrokerSettings, { nodeId: 1, leader, otherLeaders, config: { ...defaultNodeConfig, ...config } }))
  )

/** The image of broker 1, whose data directories belong to the cluster `clusterId`. */
export const layerImage = (leader: Address, clusterId: string | undefined, config: Partial<NodeConfig> = {}) =>
  Layer.scoped(Image, Image.make).pipe(
    Layer.provideMerge(Layer.effect(MadeLogs, MadeLogs.make)),
    Layer.provide(Layer.succeed(OwnDirectories, { clusterId, empty: [] })),
    Layer.provideMerge(layerContact(leader, config))
  )
