import { HashMap } from "effect"
import { brokerOf, type Cluster } from "../../../domain/cluster/state.ts"

/** A broker that has partitions of the cluster and is not started. */
export interface AbsentBroker {
  readonly id: number
  /** Its partitions. */
  readonly partitions: number
  /** Its data directory, as `franz up` names it. */
  readonly directory: string
  readonly hasDirectory: boolean
}

/**
 * Returns the brokers that have partitions, are not among `started` and do not serve from another process, by rising
 * id.
 */
export const absentBrokers = (
  cluster: Cluster,
  started: ReadonlySet<number>,
  directoryOf: (id: number) => string,
  exists: (path: string) => boolean
): ReadonlyArray<AbsentBroker> =>
  Array.from(HashMap.entries(cluster.load))
    .filter(([id, partitions]) => partitions > 0 && !started.has(id) && brokerOf(cluster, id)?.fenced !== false)
    .map(([id, partitions]) => ({ id, partitions, directory: directoryOf(id), hasDirectory: exists(directoryOf(id)) }))
    .sort((one, other) => one.id - other.id)

const listed = (words: ReadonlyArray<string | number>): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`)
/** Brokers that the warning names; the others are counted. */
const namedMax = 10

/**
 * Returns the warning of absent brokers, with the command that starts them. `first` is the id of the first broker of
 * `franz up`, `words` its options as they were given.
 */
export const absentWarning = (absent: ReadonlyArray<AbsentBroker>, first: number, words: string): string => {
  const named = absent.slice(0, namedMax)
  const ids = listed(named.map(({ id }) => id))
  const more = absent.length > named.length ? ` and ${absent.length - named.length} more` : ""
  const count = absent.reduce((sum, { partitions }) => sum + partitions, 0)
  const subject = absent.length === 1 ? `Broker ${ids} has` : `Brokers ${ids}${more} have`
  const verb = absent.length === 1 ? "is" : "are"
  const noLeader = count === 1 ? "1 partition of this cluster" : `${count} partitions of this cluster`
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
  return `${subject} ${noLeader} and ${verb} not started: no client can read or write ${count === 1 ? "it" : "them"}. ${start}${restore}`
}
