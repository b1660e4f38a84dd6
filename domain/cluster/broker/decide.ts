import { Either } from "effect"
import { producerIdMax } from "../bounds.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { BrokerRemoved, BrokerUnfenced, type Event, ProducerIdsAllocated } from "../event.ts"
import { BrokerLeaving } from "../replication/event.ts"
import { eventsWith, eventsWithout, hasReplicated } from "../replication/partition-changes.ts"
import { type Broker, brokerOf, type Cluster, isIdle } from "../state.ts"
import { currentBroker } from "./current-broker.ts"
import { fencedBy, isBrokerId } from "./registration.ts"

/**
 * A broker announces its shutdown: the partitions that other brokers can lead get other leaders, while it serves on. It
 * is fenced when it has read that. A broker without such partitions is fenced at once.
 */
const shutDown = (cluster: Cluster, broker: Broker, metadataOffset: number): ReadonlyArray<Event> => {
  if (broker.leavingAt !== undefined) return metadataOffset >= broker.leavingAt ? fencedBy(cluster, broker, "shutdown") : []
  if (!hasReplicated(cluster, broker.id)) return fencedBy(cluster, broker, "shutdown")
  const rows = eventsWithout(cluster, broker.id, "leaving", { elected: "leaving", inSync: "leaving", by: null })
  return [new BrokerLeaving({ brokerId: broker.id, brokerEpoch: broker.epoch }), ...rows]
}

/** A broker is unfenced when it has read at least its own registration, and fenced when it asks for it or shuts down. */
export const brokerHeartbeat = (cluster: Cluster, command: CommandOf<"BrokerHeartbeat">): Decision =>
  Either.map(currentBroker(cluster, command.brokerId, command.brokerEpoch), (broker) => {
    const { metadataOffset, wantFence, wantShutDown } = command
    if (!broker.fenced && wantFence) return fencedBy(cluster, broker, "shutdown")
    if (!broker.fenced && wantShutDown) return shutDown(cluster, broker, metadataOffset)
    if (!broker.fenced || wantFence || wantShutDown || metadataOffset < broker.epoch) return []
    return [new BrokerUnfenced({ brokerId: broker.id, brokerEpoch: broker.epoch }), ...eventsWith(cluster, broker.id)]
  })

export const fenceBroker = (cluster: Cluster, { brokerId, brokerEpoch }: CommandOf<"FenceBroker">): Decision => {
  const broker = brokerOf(cluster, brokerId)
  return Either.right(broker === undefined || broker.fenced || broker.epoch !== brokerEpoch ? [] : fencedBy(cluster, broker, "session timeout"))
}

/** The registration of a broker without partitions is removed: the broker registers again when it restarts. */
export const forgetBroker = (cluster: Cluster, { brokerId, brokerEpoch }: CommandOf<"ForgetBroker">): Decision => {
  const broker = brokerOf(cluster, brokerId)
  const isGone = broker === undefined || !broker.fenced || broker.epoch !== brokerEpoch || !isIdle(cluster, brokerId)
  return Either.right(isGone ? [] : [new BrokerRemoved({ brokerId, brokerEpoch, reason: "idle" })])
}

/** As Kafka: whether or not the broker lives or carries partitions. One that lives registers again by itself. */
export const unregisterBroker = (cluster: Cluster, { brokerId }: CommandOf<"UnregisterBroker">): Decision => {
  const broker = brokerOf(cluster, brokerId)
  return broker === undefined
    ? rejected("BROKER_ID_NOT_REGISTERED", `Broker ID ${brokerId} is not currently registered.`)
    : Either.right([
        ...eventsWithout(cluster, broker.id, "fenced", { elected: "fenced", inSync: "fenced", by: null }),
        new BrokerRemoved({ brokerId: broker.id, brokerEpoch: broker.epoch, reason: "unregistered" })
      ])
}

export const allocateProducerIds = (cluster: Cluster, { brokerId, brokerEpoch, count }: CommandOf<"AllocateProducerIds">): Decision => {
  if (!isBrokerId(brokerId)) return rejected("BROKER_ID_NOT_REGISTERED", `${brokerId} is no broker id: 0 to 2147483647.`)
  if (brokerEpoch !== undefined) {
    const asking = currentBroker(cluster, brokerId, brokerEpoch)
    if (Either.isLeft(asking)) return Either.left(asking.left)
  }
  if (!Number.isInteger(count) || count < 1 || cluster.nextProducerId + BigInt(count) - 1n > producerIdMax)
    return rejected("UNKNOWN_SERVER_ERROR", "All producer ids have been given out.")
  return Either.right([new ProducerIdsAllocated({ brokerId, first: cluster.nextProducerId, count })])
}
