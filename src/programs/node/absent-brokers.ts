import { HashMap } from "effect"
import { brokerOf, type Cluster } from "../../../domain/cluster/state.ts"

/** A broker that has partitions of the cluster and is not started. */
interface AbsentBroker {
  readonly id: number
  /** Its data directory, as `franz up` names it. */
  readonly directory: string
  readonly hasDirectory: boolean
}
/** Brokers that are not started, by rising id, and what that means. */
export interface Absence {
  readonly brokers: ReadonlyArray<AbsentBroker>
  /** Partitions that none of the started brokers can lead. */
  readonly unserved: number
  /** Partitions that a started broker can lead, with fewer copies than they should have. */
  readonly fewerCopies: number
}

const countPartitions = ({ topics }: Cluster, absent: ReadonlySet<number>): Pick<Absence, "unserved" | "fewerCopies"> => {
  let [unserved, fewerCopies] = [0, 0]
  for (const { partitions } of HashMap.values(topics))
    for (const { elr, isr, replicas } of partitions) {
      if (!replicas.some((id) => absent.has(id))) continue
      if ([...isr, ...elr].every((id) => absent.has(id))) unserved++
      else fewerCopies++
    }
  return { unserved, fewerCopies }
}

/** Returns the brokers that have partitions, are not among `started` and do not serve from another process. */
export const absentBrokers = (
  cluster: Cluster,
  started: ReadonlySet<number>,
  directoryOf: (id: number) => string,
  exists: (path: string) => boolean
): Absence => {
  const brokers = Array.from(HashMap.entries(cluster.load))
    .filter(([id, partitions]) => partitions > 0 && !started.has(id) && brokerOf(cluster, id)?.fenced !== false)
    .map(([id]) => ({ id, directory: directoryOf(id), hasDirectory: exists(directoryOf(id)) }))
    .sort((one, other) => one.id - other.id)
  const none = { unserved: 0, fewerCopies: 0 }
  return { brokers, ...(brokers.length === 0 ? none : countPartitions(cluster, new Set(brokers.map(({ id }) => id)))) }
}

const listed = (words: ReadonlyArray<string | number>): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`)
/** Brokers that the warning names; the others are counted. */
const namedMax = 10

const consequence = ({ fewerCopies, unserved }: Absence): string => {
  const them = unserved === 1 ? "it" : "them"
  if (fewerCopies === 0) return `no client can read or write ${them}`
  if (unserved === 0) return fewerCopies === 1 ? "it has fewer copies" : "they have fewer copies"
  return `no client can read or write ${unserved} of them, and ${fewerCopies} ${fewerCopies === 1 ? "has" : "have"} fewer copies`
}

/**
 * Returns the warning of absent brokers, with the command that starts them. `first` is the id of the first broker of
 * `franz up`, `words` its options as they were given.
 */
export const absentWarning = (absence: Absence, first: number, words: string): string => {
  const { brokers: absent, fewerCopies, unserved } = absence
  const named = absent.slice(0, namedMax)
  const ids = listed(named.map(({ id }) => id))
  const more = absent.length > named.length ? ` and ${absent.length - named.length} more` : ""
  const count = unserved + fewerCopies
  const subject = absent.length === 1 ? `Broker ${ids} has` : `Brokers ${ids}${more} have`
  const verb = absent.length === 1 ? "is" : "are"
  const partitions = count === 1 ? "1 partition of this cluster" : `${count} partitions of this cluster`
  const brokers = Math.max(...absent.map(({ id }) => id)) - first + 1
  const isInRow = absent.every(({ id }) => id > first)
  const start = isInRow
    ? `\`franz up --brokers ${brokers} ${words}\` starts ${absent.length === 1 ? "it" : "them"}.`
    : "`franz broker --id ID --leader HOST:PORT --data DIR` starts each."
  const lost = named.filter(({ hasDirectory }) => !hasDirectory).map(({ directory }) => directory)
  const restore =
    lost.length === 0
      ? ""
      : ` ${listed(lost)} ${lost.length === 1 ? "is" : "are"} missing: mount or restore ${lost.length === 1 ? "it" : "them"} first, since a broker without its directory begins with empty logs.`
  return `${subject} ${partitions} and ${verb} not started: ${consequence(absence)}. ${start}${restore}`
}
