import { Either, HashMap, Schema } from "effect"
import { fold } from "../../kernel/decider.ts"
import type { Rejection } from "../../kernel/error-code.ts"
import { BrokerId } from "../../kernel/id.ts"
import { brokerDirectoriesMax, brokerListenersMax, brokersMax, brokerTextCharactersMax } from "../bounds.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { BrokerFenced, BrokerRegistered, BrokerRemoved, baseEventLevel, type Event } from "../event.ts"
import { eventLevelOf, replicationEventLevel } from "../event-level.ts"
import { evolve } from "../evolve.ts"
import { eventsWithout } from "../replication/partition-changes.ts"
import { type Broker, brokerOf, type Cluster, isIdle } from "../state.ts"

export const isBrokerId: (id: number) => id is BrokerId = Schema.is(BrokerId)

/**
 * Rows for the partitions with more than one replica, then one event: `evolve` changes the leaders of the others. The
 * rows come first, so that no state has a partition that a fenced broker leads.
 */
export const fencedBy = (cluster: Cluster, broker: Broker, reason: BrokerFenced["reason"]): ReadonlyArray<Event> => [
  ...eventsWithout(cluster, broker.id, "fenced", { elected: "fenced", inSync: "fenced", by: null }),
  new BrokerFenced({ brokerId: broker.id, brokerEpoch: broker.epoch, reason })
]

/** No control or format characters, no line breaks. */
const readable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u

/**
 * Returns the registration that a new broker replaces in a cluster that has as many brokers as it can have: one without
 * partitions, so that nothing is lost, and not the leader's own. A fenced one first, then the oldest. A broker that
 * runs after all registers again.
 */
const replaceable = (cluster: Cluster): Broker | undefined => {
  const idle = [...HashMap.values(cluster.brokers)].filter(({ id }) => isIdle(cluster, id) && id !== cluster.leader?.nodeId)
  return idle.sort((one, other) => Number(other.fenced) - Number(one.fenced) || one.epoch - other.epoch)[0]
}

const registrationFault = (cluster: Cluster, command: CommandOf<"RegisterBroker">): Either.Either<never, Rejection> | undefined => {
  const { brokerId, incarnationId, clusterId, host, port, rack, directories = [], listeners = [] } = command
  if (clusterId !== "" && clusterId !== cluster.clusterId)
    return rejected("INCONSISTENT_CLUSTER_ID", `Broker ${brokerId} belongs to cluster ${clusterId}, this is cluster ${cluster.clusterId ?? "without an id"}.`)
  if (eventLevelOf(command) < cluster.eventLevel)
    return rejected(
      "UNSUPPORTED_VERSION",
      `Broker ${brokerId} knows event level ${eventLevelOf(command)}, the cluster is at ${cluster.eventLevel}: start a version of the broker that knows it.`
    )
  if (!isBrokerId(brokerId)) return rejected("INVALID_REGISTRATION", `${brokerId} is no broker id: 0 to 2147483647.`)
  const texts = [host, incarnationId, rack ?? "", ...listeners.flatMap((each) => [each.name, each.host])]
  if (host === "" || listeners.some((each) => each.host === "") || texts.some((text) => text.length > brokerTextCharactersMax))
    return rejected(
      "INVALID_REGISTRATION",
      `Broker ${brokerId} needs a host for each listener, and no host, name, rack or incarnation id over ${brokerTextCharactersMax} characters.`
    )
  // No process has proved its identity yet: its texts are written to the journal and to log lines.
  if (!texts.every((text) => readable.test(text)))
    return rejected("INVALID_REGISTRATION", `A host, the rack or the incarnation id of broker ${brokerId} has characters that cannot be printed.`)
  if (directories.length > brokerDirectoriesMax || directories.some((id) => id.length > brokerTextCharactersMax || !readable.test(id)))
    return rejected(
      "INVALID_REGISTRATION",
      `Broker ${brokerId} may have ${brokerDirectoriesMax} log directories, each with an id of at most ${brokerTextCharactersMax} characters that can be printed.`
    )
  const strange = [port, ...listeners.map((each) => each.port)].find((each) => !Number.isInteger(each) || each < 1 || each > 65_535)
  if (strange !== undefined) return rejected("INVALID_REGISTRATION", `Broker ${brokerId} cannot be reached on port ${strange}.`)
  if (listeners.length > brokerListenersMax || new Set(listeners.map(({ name }) => name)).size < listeners.length)
    return rejected("INVALID_REGISTRATION", `Broker ${brokerId} may have ${brokerListenersMax} listeners, each with a name of its own.`)
  const { leader } = cluster
  if (leader?.nodeId === brokerId && (leader.host !== host || leader.port !== port))
    return rejected("DUPLICATE_BROKER_REGISTRATION", `${brokerId} is the id of the leader at ${leader.host}:${leader.port}: give this broker another.`)
  if (brokerOf(cluster, brokerId) === undefined && HashMap.size(cluster.brokers) >= brokersMax && replaceable(cluster) === undefined)
    return rejected("INVALID_REGISTRATION", `The cluster has ${brokersMax} brokers with partitions already, the most that it can have.`)
  return undefined
}

const sameListeners = (one: Broker["listeners"] = [], other: Broker["listeners"] = []): boolean =>
  one.length === other.length && one.every(({ host, name, port }, at) => other[at]?.name === name && other[at]?.host === host && other[at]?.port === port)

/** Returns whether the broker of that id runs, so that no other process may register under the id. */
const isTaken = (cluster: Cluster, before: Broker, { host, incarnationId, isConnected, port }: CommandOf<"RegisterBroker">): boolean => {
  if (before.incarnationId === incarnationId) return false
  // Its connection shows that it is alive. One that has nothing and does not serve loses nothing by another of its id.
  if (isConnected) return !before.fenced || !isIdle(cluster, before.id)
  const sameAddress = before.host === host && before.port === port
  return !before.fenced && !sameAddress && cluster.leader?.nodeId !== before.id
}

/**
 * Refuses a second process under the id of a broker that runs, until the connection or the session of that broker ends.
 * Without a connection of the older process, a process at its address is registered immediately: two processes cannot
 * listen there together, so the older one has ended, and its epoch is fenced in any case. The same holds for the broker
 * in the leader's own process, whose earlier run ended with that of the leader.
 */
export const registerBroker = (cluster: Cluster, command: CommandOf<"RegisterBroker">): Decision => {
  const fault = registrationFault(cluster, command)
  if (fault !== undefined) return fault
  const { incarnationId, host, listeners, port, rack } = command
  const eventLevel = eventLevelOf(command)
  const brokerId = command.brokerId as BrokerId
  const before = brokerOf(cluster, brokerId)
  // The response to an earlier request was lost, or the process identifies itself on another connection: the
  // registration is valid.
  if (
    before?.incarnationId === incarnationId &&
    before.host === host &&
    before.port === port &&
    before.rack === rack &&
    sameListeners(before.listeners, listeners)
  )
    return Either.right([])
  if (before !== undefined && isTaken(cluster, before, command))
    return rejected(
      "DUPLICATE_BROKER_REGISTRATION",
      `Broker ${brokerId} is registered from ${before.host}:${before.port} and runs: give this one another id, or wait until that session ends.`
    )
  const gone = before === undefined ? replacedFor(cluster) : before.fenced ? [] : fencedBy(cluster, before, "restarted")
  const disowned = command.keepsWhatItAcknowledged === true ? [] : disownedBy(fold(evolve, cluster, gone), brokerId)
  const brokerEpoch = cluster.index + gone.length + disowned.length
  return Either.right([
    ...gone,
    ...disowned,
    new BrokerRegistered({
      brokerId,
      incarnationId,
      brokerEpoch,
      host,
      port,
      rack,
      ...(listeners === undefined ? {} : { listeners }),
      ...(eventLevel === baseEventLevel ? {} : { eventLevel }),
      ...logsOf(cluster, command)
    })
  ])
}

/** What version 2 of the event has more: an older version could not fold it. */
const logsOf = (
  cluster: Cluster,
  { directories, keepsWhatItAcknowledged }: CommandOf<"RegisterBroker">
): Partial<Pick<BrokerRegistered, "v" | "directories" | "keepsWhatItAcknowledged">> =>
  cluster.eventLevel < replicationEventLevel || (directories === undefined && keepsWhatItAcknowledged === undefined)
    ? {}
    : {
        v: 2,
        ...(directories === undefined ? {} : { directories }),
        ...(keepsWhatItAcknowledged === undefined ? {} : { keepsWhatItAcknowledged })
      }

/**
 * Returns the rows of a broker that may lack what it acknowledged: it was not stopped cleanly, and does not sync before
 * it acknowledges. It leaves every in-sync set and ELR.
 */
const disownedBy = (cluster: Cluster, brokerId: BrokerId): ReadonlyArray<Event> =>
  eventsWithout(cluster, brokerId, "fenced", { elected: "disowned", inSync: "disowned", by: null }, true)

/** Returns the event that removes a registration where the cluster is full, before one more broker registers. */
const replacedFor = (cluster: Cluster): ReadonlyArray<Event> => {
  const replaced = HashMap.size(cluster.brokers) < brokersMax ? undefined : replaceable(cluster)
  return replaced === undefined ? [] : [new BrokerRemoved({ brokerId: replaced.id, brokerEpoch: replaced.epoch, reason: "replaced" })]
}
