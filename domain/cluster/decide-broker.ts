import { Either, HashMap, Schema } from "effect"
import type { Rejection } from "../kernel/error-code.ts"
import { BrokerId } from "../kernel/id.ts"
import { brokersMax, brokerTextCharactersMax, producerIdMax } from "./bounds.ts"
import type { Command } from "./command.ts"
import { BrokerFenced, BrokerRegistered, BrokerUnfenced, type Event, ProducerIdsAllocated } from "./event.ts"
import { rejected } from "./rejected.ts"
import { type Broker, brokerOf, type Cluster } from "./state.ts"

type Decision = Either.Either<ReadonlyArray<Event>, Rejection>
type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

const isBrokerId: (id: number) => id is BrokerId = Schema.is(BrokerId)

/** One event, however many partitions the broker leads: `evolve` takes them from it. */
const fenced = (broker: Broker, reason: BrokerFenced["reason"]): ReadonlyArray<Event> => [
  new BrokerFenced({ brokerId: broker.id, brokerEpoch: broker.epoch, reason })
]

/** No control or format characters, no line breaks. */
const readable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u

const registrationFault = (cluster: Cluster, command: Of<"RegisterBroker">): Either.Either<never, Rejection> | undefined => {
  const { brokerId, incarnationId, clusterId, host, port, rack } = command
  if (clusterId !== "" && clusterId !== cluster.clusterId)
    return rejected("INCONSISTENT_CLUSTER_ID", `Broker ${brokerId} belongs to cluster ${clusterId}, this is cluster ${cluster.clusterId ?? "without an id"}.`)
  if (!isBrokerId(brokerId)) return rejected("INVALID_REGISTRATION", `${brokerId} is no broker id: 0 to 2147483647.`)
  if (host === "" || [host, incarnationId, rack ?? ""].some((text) => text.length > brokerTextCharactersMax))
    return rejected("INVALID_REGISTRATION", `Broker ${brokerId} needs a host, and no host, rack or incarnation id over ${brokerTextCharactersMax} characters.`)
  // Nobody has shown who they are: what they call themselves goes into the journal and into log lines.
  if (![host, incarnationId, rack ?? ""].every((text) => readable.test(text)))
    return rejected("INVALID_REGISTRATION", `The host, rack or incarnation id of broker ${brokerId} has characters that cannot be printed.`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return rejected("INVALID_REGISTRATION", `Broker ${brokerId} cannot be reached on port ${port}.`)
  const { leader } = cluster
  if (leader?.nodeId === brokerId && (leader.host !== host || leader.port !== port))
    return rejected("DUPLICATE_BROKER_REGISTRATION", `${brokerId} is the id of the leader at ${leader.host}:${leader.port}: give this broker another.`)
  if (brokerOf(cluster, brokerId) === undefined && HashMap.size(cluster.brokers) >= brokersMax)
    return rejected("INVALID_REGISTRATION", `The cluster has ${brokersMax} brokers already, the most that it can have.`)
  return undefined
}

/**
 * A second process under the id of a broker that lives is refused, until that one's session is over. From the same address it is let in at once:
 * two processes cannot listen there together, so the older one is gone, and its epoch is fenced in any case. The same holds for the broker in the
 * leader's own process, whose earlier life ended with the earlier leader's.
 */
export const registerBroker = (cluster: Cluster, command: Of<"RegisterBroker">): Decision => {
  const fault = registrationFault(cluster, command)
  if (fault !== undefined) return fault
  const { incarnationId, host, port, rack } = command
  const brokerId = command.brokerId as BrokerId
  const before = brokerOf(cluster, brokerId)
  const sameAddress = before !== undefined && before.host === host && before.port === port
  // The answer to an earlier request was lost: the registration stands.
  if (before?.incarnationId === incarnationId && sameAddress && before.rack === rack) return Either.right([])
  const lives = before !== undefined && !before.fenced
  if (lives && before.incarnationId !== incarnationId && !sameAddress && cluster.leader?.nodeId !== brokerId)
    return rejected(
      "DUPLICATE_BROKER_REGISTRATION",
      `Broker ${brokerId} is registered from ${before.host}:${before.port} and lives: give this one another id, or wait until that session is over.`
    )
  const gone = lives ? fenced(before, "restarted") : []
  const brokerEpoch = cluster.index + gone.length
  return Either.right([...gone, new BrokerRegistered({ brokerId, incarnationId, brokerEpoch, host, port, rack })])
}

/** The broker of that id and epoch, or why the caller is not it. */
const currentBroker = (cluster: Cluster, brokerId: number, brokerEpoch: number): Either.Either<Broker, Rejection> => {
  const broker = brokerOf(cluster, brokerId)
  if (broker === undefined) return rejected("BROKER_ID_NOT_REGISTERED", `No broker ${brokerId} is registered.`)
  if (broker.epoch !== brokerEpoch)
    return rejected("STALE_BROKER_EPOCH", `Broker ${brokerId} has epoch ${broker.epoch}, not ${brokerEpoch}: a newer registration stands.`)
  return Either.right(broker)
}

/** A broker is let in when it has read at least its own registration, and out when it says that it stops. */
export const brokerHeartbeat = (cluster: Cluster, command: Of<"BrokerHeartbeat">): Decision =>
  Either.map(currentBroker(cluster, command.brokerId, command.brokerEpoch), (broker) => {
    const out = command.wantFence || command.wantShutDown
    if (!broker.fenced && out) return fenced(broker, "shutdown")
    if (broker.fenced && !out && command.metadataOffset >= broker.epoch) return [new BrokerUnfenced({ brokerId: broker.id, brokerEpoch: broker.epoch })]
    return []
  })

export const fenceBroker = (cluster: Cluster, { brokerId, brokerEpoch }: Of<"FenceBroker">): Decision => {
  const broker = brokerOf(cluster, brokerId)
  return Either.right(broker === undefined || broker.fenced || broker.epoch !== brokerEpoch ? [] : fenced(broker, "session timeout"))
}

export const allocateProducerIds = (cluster: Cluster, { brokerId, brokerEpoch, count }: Of<"AllocateProducerIds">): Decision => {
  if (!isBrokerId(brokerId)) return rejected("BROKER_ID_NOT_REGISTERED", `${brokerId} is no broker id: 0 to 2147483647.`)
  if (brokerEpoch !== undefined) {
    const asking = currentBroker(cluster, brokerId, brokerEpoch)
    if (Either.isLeft(asking)) return Either.left(asking.left)
  }
  if (!Number.isInteger(count) || count < 1 || cluster.nextProducerId + BigInt(count) - 1n > producerIdMax)
    return rejected("UNKNOWN_SERVER_ERROR", "All producer ids have been given out.")
  return Either.right([new ProducerIdsAllocated({ brokerId, first: cluster.nextProducerId, count })])
}
