/** An event of the journal, as its JSON says it: an older or newer node may have written other fields. */
type Fields = Readonly<Record<string, unknown>>
/** `orders-0` by the topic's id and the partition's index. */
type NameOf = (topicId: unknown, partition: unknown) => string

/** Rows that a line shows; the others are counted. `--json` has all. */
const rowsMax = 5

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const ids = (value: unknown): string => list(value).join(",") || "none"
const leader = (value: unknown): string => (value === -1 ? "no leader" : `leader ${String(value)}`)
const eligible = (elr: unknown): string => (list(elr).length === 0 ? "" : `, eligible ${ids(elr)}`)
const rows = (value: unknown, row: (row: ReadonlyArray<unknown>) => string): string => {
  const all = list(value)
  const more = all.length > rowsMax ? `; and ${all.length - rowsMax} more` : ""
  return `${all
    .slice(0, rowsMax)
    .map((each) => row(list(each)))
    .join("; ")}${more}`
}

/** What happened to replicas, in words. Events that are not named here are shown by their fields. */
const words: Readonly<Record<string, (event: Fields, nameOf: NameOf) => string>> = {
  LeadersElected: ({ reason, rows: all, topicId }, nameOf) =>
    `${String(reason)}: ${rows(all, ([partition, elected, epoch, isr, elr]) => `${nameOf(topicId, partition)} has ${leader(elected)} (epoch ${String(epoch)}), in sync ${ids(isr)}${eligible(elr)}`)}`,
  InSyncSetsChanged: ({ by, reason, rows: all, topicId }, nameOf) =>
    `${String(reason)}${by === null ? "" : `, by broker ${String(by)}`}: ${rows(all, ([partition, isr, elr]) => `${nameOf(topicId, partition)} has in sync ${ids(isr)}${eligible(elr)}`)}`,
  LeaderElectedUncleanly: ({ commandedBy, lastInSync, leader: elected, leaderEpoch, partition, topicId }, nameOf) =>
    `${nameOf(topicId, partition)} has ${leader(elected)} (epoch ${String(leaderEpoch)}), which may lack records; ${ids(lastInSync)} had all; commanded by ${String(commandedBy)}`,
  RecordsLost: ({ brokerId, from, leaderEpoch, partition, to, topicId }, nameOf) =>
    `${nameOf(topicId, partition)}: broker ${String(brokerId)} removed the committed records ${String(from)} to ${Number(to) - 1}, which the leader of epoch ${String(leaderEpoch)} lacks`,
  ReassignmentBegan: ({ adding, partition, removing, replicas, topicId }, nameOf) =>
    `${nameOf(topicId, partition)} moves: adds ${ids(adding)}, removes ${ids(removing)}; replicas until then ${ids(replicas)}`,
  ReassignmentEnded: ({ isr, leader: elected, leaderEpoch, outcome, partition, replicas, topicId }, nameOf) =>
    `${nameOf(topicId, partition)} has moved (${String(outcome)}): replicas ${ids(replicas)}, in sync ${ids(isr)}, ${leader(elected)} (epoch ${String(leaderEpoch)})`,
  BrokerLeaving: ({ brokerId }) => `broker ${String(brokerId)} shuts down: other brokers lead its partitions`,
  ReplicasDisowned: ({ brokerId, reason, rows: all }, nameOf) =>
    `broker ${String(brokerId)} has lost logs (${String(reason)}): ${rows(all, ([topicId, partition]) => nameOf(topicId, partition))}`
}

/** Returns the event in words; undefined for one that is shown by its fields. */
export const replicationWords = (type: string, event: Fields, nameOf: NameOf): string | undefined =>
  Object.hasOwn(words, type) ? words[type]?.(event, nameOf) : undefined
