import type { BrokerId } from "../kernel/id.ts"
import type { Partition } from "./state.ts"

/** What a broker can do now: an unfenced one can lead; one that shuts down leads only what no other broker can lead. */
export type BrokerLife = "unfenced" | "leaving" | "fenced"

/**
 * Who may be elected: "online" keeps the present leader if it can stay; "preferred" elects the first replica if it can
 * lead; "unclean" elects a replica that lacks records where no other can lead.
 */
export type ElectionKind = "online" | "preferred" | "unclean"

/** What a partition should become, where it differs from what it is. */
export interface WantedPartition {
  readonly isr?: ReadonlyArray<BrokerId> | undefined
  readonly replicas?: ReadonlyArray<BrokerId> | undefined
  readonly adding?: ReadonlyArray<BrokerId> | undefined
  readonly removing?: ReadonlyArray<BrokerId> | undefined
  /**
   * A replica whose log does not have all that its broker acknowledged: it leaves the in-sync set, and the ELR too. The
   * leader epoch rises.
   */
  readonly disowned?: BrokerId | undefined
  /**
   * A replica that has what its broker acknowledged, and cannot append: it leaves the in-sync set, and may be in the
   * ELR. The leader epoch rises.
   */
  readonly unwritable?: BrokerId | undefined
}

/**
 * Returns how many in-sync replicas a partition needs: `min.insync.replicas`, and never more than it has replicas.
 * Partition leaders use the same number. Exported for tests too.
 */
export const effectiveMinIsr = (minIsr: number, replicaCount: number): number => Math.min(minIsr, replicaCount)

type Target = Pick<Partition, "replicas" | "adding" | "removing" | "isr">

/**
 * Completes a reassignment when every replica that it adds is in sync, and the replicas that stay have enough in-sync
 * ones without those that it removes. A set that would be too small after the removal waits (KAFKA-14808).
 */
const completed = (target: Target, minIsr: number): Target => {
  const { adding, removing, replicas } = target
  if (adding.length === 0 && removing.length === 0) return target
  const kept = replicas.filter((id) => !removing.includes(id))
  const isr = target.isr.filter((id) => kept.includes(id))
  const isDone = adding.every((id) => isr.includes(id)) && isr.length >= effectiveMinIsr(minIsr, kept.length) && isr.length > 0
  return isDone ? { replicas: kept, adding: [], removing: [], isr } : target
}

/**
 * Returns the ELR beside an in-sync set: empty when the set has as many replicas as it needs; otherwise all that left
 * the set or were in the ELR. The strict min ISR rule makes this safe: while the set is too small, the high watermark
 * does not rise, so that these replicas do not miss a committed record.
 */
const eligible = (before: Partition, { isr, replicas }: Target, minIsr: number, disowned: BrokerId | undefined): ReadonlyArray<BrokerId> =>
  isr.length >= effectiveMinIsr(minIsr, replicas.length)
    ? []
    : replicas.filter((id) => id !== disowned && !isr.includes(id) && (before.isr.includes(id) || before.elr.includes(id)))

interface Elected {
  readonly leader: BrokerId | -1
  readonly isr: ReadonlyArray<BrokerId>
  readonly elr: ReadonlyArray<BrokerId>
}

/** Returns the leader, and the sets that its election changes. */
const elect = (
  before: Partition,
  { isr, replicas }: Target,
  elr: ReadonlyArray<BrokerId>,
  lifeOf: (id: BrokerId) => BrokerLife,
  kind: ElectionKind
): Elected => {
  const { leader } = before
  const isEligible = (id: BrokerId): boolean => isr.includes(id) || (isr.length === 0 && elr.includes(id))
  const canLead = (id: BrokerId): boolean => lifeOf(id) === "unfenced" && isEligible(id)
  const first = replicas[0] as BrokerId
  const staying = leader !== -1 && canLead(leader) ? leader : undefined
  const chosen = (kind === "preferred" && canLead(first) ? first : undefined) ?? staying ?? replicas.find(canLead)
  // A leader that shuts down leads on as long as no other broker can: its partition is served until it stops.
  const last = chosen ?? (leader !== -1 && lifeOf(leader) === "leaving" && isr.includes(leader) ? leader : undefined)
  if (last !== undefined) return isr.length > 0 ? { leader: last, isr, elr } : { leader: last, isr: [last], elr: elr.filter((id) => id !== last) }
  const unclean = kind === "unclean" ? replicas.find((id) => lifeOf(id) === "unfenced") : undefined
  return unclean === undefined ? { leader: -1, isr, elr } : { leader: unclean, isr: [unclean], elr: [] }
}

/** The only replica stays in the in-sync set while its broker is fenced: it has all that there is. */
const alone = ({ replicas }: Target, { elr, isr }: Elected): Pick<Partition, "isr" | "elr"> =>
  replicas.length === 1 && isr.length === 0 ? { isr: elr, elr: [] } : { isr, elr }

const same = (one: ReadonlyArray<BrokerId>, other: ReadonlyArray<BrokerId>): boolean =>
  one === other || (one.length === other.length && one.every((id, at) => id === other[at]))

/**
 * Returns a partition after a change: the one place in which in-sync sets, leaders and epochs are decided. The same
 * object where nothing changes. In the order of Kafka's PartitionChangeBuilder: completes a reassignment if the wanted
 * in-sync set allows it, then the ELR, then the election, then the epochs.
 *
 * The partition epoch rises by one with every change. The leader epoch rises with a new leader and when replicas are
 * taken away; a set that only shrinks or grows leaves it (KAFKA-15021). It rises with a replica that is disowned, too:
 * what the broker fetched with the log that it lost must not count any more. Otherwise the leader would take the replica
 * up again by its last fetch. The same holds for a replica that cannot append. `minIsr` is the value of
 * `min.insync.replicas`.
 */
export const change = (
  partition: Partition,
  wanted: WantedPartition,
  lifeOf: (id: BrokerId) => BrokerLife,
  minIsr: number,
  kind: ElectionKind = "online"
): Partition => {
  const { disowned, unwritable, replicas = partition.replicas, adding = partition.adding, removing = partition.removing } = wanted
  const refused = disowned ?? unwritable
  const wantedIsr = (wanted.isr ?? partition.isr).filter((id) => id !== refused && replicas.includes(id))
  const target = completed({ replicas, adding, removing, isr: wantedIsr }, minIsr)
  const { elr, isr, leader } = elect(partition, target, eligible(partition, target, minIsr, disowned), lifeOf, kind)
  const enough = isr.length >= effectiveMinIsr(minIsr, target.replicas.length)
  const after = { replicas: target.replicas, adding: target.adding, removing: target.removing, ...alone(target, { leader, isr, elr: enough ? [] : elr }) }
  const keys = ["replicas", "adding", "removing", "isr", "elr"] as const
  const isRefused = refused !== undefined && partition.replicas.includes(refused)
  if (!isRefused && leader === partition.leader && keys.every((key) => same(after[key], partition[key]))) return partition
  const isRaised = isRefused || leader !== partition.leader || partition.replicas.some((id) => !after.replicas.includes(id))
  return { ...after, leader, leaderEpoch: partition.leaderEpoch + (isRaised ? 1 : 0), partitionEpoch: partition.partitionEpoch + 1 }
}
