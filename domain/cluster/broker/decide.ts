import { Either } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import { producerIdMax } from "../bounds.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { BrokerRemoved, BrokerUnfenced, ProducerIdsAllocated } from "../event.ts"
import { type Broker, brokerOf, type Cluster, isIdle } from "../state.ts"
import { fencedBy, isBrokerId } from "./registration.ts"

/** The broker of that id and epoch, or why the caller is not it. */
const currentBroker = (cluster: Cluster, brokerId: number, brokerEpoch: number): Either.Either<Broker, Rejection> => {
  const broker = brokerOf(cluster, brokerId)
  if (broker === undefined) return rejected("BROKER_ID_NOT_REGISTERED", `No broker ${brokerId} is registered.`)
  if (broker.epoch !== brokerEpoch)
    return rejected("STALE_BROKER_EPOCH", `Broker ${brokerId} has epoch ${broker.epoch}, not ${brokerEpoch}: a newer registration is valid.`)
  return Either.right(broker)
}

/** A broker is unfenced when it has read at least its own registration, and fenced when it announces its shutdown. */
export const brokerHeartbeat = (cluster: Cluster, command: CommandOf<"BrokerHeartbeat">): Decision =>
  Either.map(currentBroker(cluster, command.brokerId, command.brokerEpoch), (broker) => {
    const out = command.wantFence || command.wantShutDown
    if (!broker.fenced && out) return fencedBy(broker, "shutdown")
    if (broker.fenced && !out && command.metadataOffset >= broker.epoch) return [new BrokerUnfenced({ brokerId: broker.id, brokerEpoch: broker.epoch })]
    return []
  })

export const fenceBroker = (cluster: Cluster, { brokerId, brokerEpoch }: CommandOf<"FenceBroker">): Decision => {
  const broker = brokerOf(cluster, brokerId)
  return Either.right(broker === undefined || broker.fenced || broker.epoch !== brokerEpoch ? [] : fencedBy(broker, "session timeout"))
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
    : Either.right([new BrokerRemoved({ brokerId: broker.id, brokerEpoch: broker.epoch, reason: "unregistered" })])
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
