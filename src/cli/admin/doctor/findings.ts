import { count } from "../../client/each.ts"
import type { GroupCoordination } from "../group-coordination.ts"

/** A partition as the doctor looks at it. */
interface PartitionState {
  readonly partition: number
  readonly leader: number
  readonly replicas: ReadonlyArray<number>
  readonly isr: ReadonlyArray<number>
}
interface TopicState {
  readonly name: string
  readonly partitions: ReadonlyArray<PartitionState>
  /** `min.insync.replicas`; undefined where it was not asked for: every replica is in sync. */
  readonly minIsr: number | undefined
}
interface BrokerState {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly isFenced: boolean
}
interface MoveState {
  readonly topic: string
  readonly partition: number
  readonly adding: ReadonlyArray<number>
  readonly removing: ReadonlyArray<number>
}
/** A data directory of a broker that serves. */
export interface DirectoryState {
  readonly broker: number
  readonly path: string
  readonly isOffline: boolean
  /** Of its volume; undefined where the broker does not know. */
  readonly totalBytes: number | undefined
  readonly usableBytes: number | undefined
  /** The partitions whose logs it has, `orders-0`. A log that the broker cannot open is not among them. */
  readonly logs: ReadonlySet<string>
}
/** What the doctor knows of a cluster. */
export interface ClusterState {
  /** False where no leader of the cluster responds: the rest is what the brokers know of it. */
  readonly isLed: boolean
  /** The data directories of all brokers that serve; undefined where they could not be asked. */
  readonly directories: ReadonlyArray<DirectoryState> | undefined
  readonly brokers: ReadonlyArray<BrokerState>
  readonly topics: ReadonlyArray<TopicState>
  readonly moves: ReadonlyArray<MoveState>
  /** Undefined where the cluster does not say. */
  readonly groups?: GroupCoordination | undefined
}

/** One thing that the operator should know. */
export interface Finding {
  readonly kind:
    | "no cluster leader"
    | "offline"
    | "under min ISR"
    | "under-replicated"
    | "fenced broker"
    | "unregistered broker"
    | "unbalanced leaders"
    | "moves under way"
    | "leader without log"
    | "full disk"
    | "offline directory"
    | "groups not handed over"
  /** A problem makes the command fail; a note does not. */
  readonly severity: "problem" | "note"
  /** What is so, and what it means. */
  readonly message: string
  /** The command or the work that helps. */
  readonly advice: string
  /** `orders-0`, … */
  readonly partitions: ReadonlyArray<string>
  readonly brokers: ReadonlyArray<number>
}

/** Partitions that a line names; the others are counted. The JSON output has all. */
const namedMax = 10
const listed = (names: ReadonlyArray<string | number>): string =>
  names.length <= namedMax ? names.join(", ") : `${names.slice(0, namedMax).join(", ")} and ${names.length - namedMax} more`
const are = (number: number): string => (number === 1 ? "is" : "are")
const have = (number: number): string => (number === 1 ? "has" : "have")

interface Placed extends PartitionState {
  readonly name: string
  readonly minIsr: number | undefined
  /** Replicas that are not in sync and that no move adds: a new replica is behind until it has copied everything. */
  readonly behind: ReadonlyArray<number>
}

const placed = ({ moves, topics }: ClusterState): ReadonlyArray<Placed> => {
  const moving = new Map(moves.map((move) => [`${move.topic}-${move.partition}`, move]))
  return topics.flatMap(({ minIsr, name: topic, partitions }) =>
    partitions.map((each) => {
      const name = `${topic}-${each.partition}`
      const adding = moving.get(name)?.adding ?? []
      return { ...each, name, minIsr, behind: each.replicas.filter((id) => !each.isr.includes(id) && !adding.includes(id)) }
    })
  )
}

const namesOf = (partitions: ReadonlyArray<Placed>): ReadonlyArray<string> => partitions.map(({ name }) => name)
const ids = (of: Iterable<number>): ReadonlyArray<number> => [...new Set(of)].sort((one, other) => one - other)
const brokersText = (of: ReadonlyArray<number>): string => `${of.length === 1 ? "broker" : "brokers"} ${listed(of)}`

const notLed = ({ isLed }: ClusterState): ReadonlyArray<Finding> => {
  if (isLed) return []
  return [
    {
      kind: "no cluster leader",
      severity: "problem",
      message:
        "No leader of the cluster responds: topics and settings cannot change, and no broker is fenced or replaced. Produce and Fetch continue. The brokers say here what they knew before.",
      advice:
        "Start the leader, or a candidate for its role. One that runs and does not lead says in its log why; over a journal in etcd, start with the members of etcd.",
      partitions: [],
      brokers: []
    }
  ]
}

const offline = (all: ReadonlyArray<Placed>): ReadonlyArray<Finding> => {
  const found = all.filter(({ leader }) => leader < 0)
  if (found.length === 0) return []
  const brokers = ids(found.flatMap(({ replicas }) => replicas))
  return [
    {
      kind: "offline",
      severity: "problem",
      message: `${count(found.length, "partition")} ${have(found.length)} no leader and cannot be read or written: ${listed(namesOf(found))}. No replica that has all acknowledged messages runs.`,
      advice: `Start ${brokersText(brokers)} with their data. If the data is lost: \`franz partition elect --unclean ${found[0]?.name ?? "PARTITION"}\` lets another replica lead, and messages are lost.`,
      partitions: namesOf(found),
      brokers
    }
  ]
}

const underMinIsr = (all: ReadonlyArray<Placed>): ReadonlyArray<Finding> => {
  const found = all.filter(({ isr, leader, minIsr = 1, replicas }) => leader >= 0 && isr.length < Math.min(minIsr, replicas.length))
  if (found.length === 0) return []
  const brokers = ids(found.flatMap(({ behind }) => behind))
  return [
    {
      kind: "under min ISR",
      severity: "problem",
      message: `${count(found.length, "partition")} ${have(found.length)} fewer in-sync replicas than min.insync.replicas: ${listed(namesOf(found))}. Writes with acks=all get NOT_ENOUGH_REPLICAS; reads continue.`,
      advice: `Start ${brokersText(brokers)}: writes continue as soon as the replicas are in sync.`,
      partitions: namesOf(found),
      brokers
    }
  ]
}

const underReplicated = (all: ReadonlyArray<Placed>): ReadonlyArray<Finding> => {
  const found = all.filter(({ behind, leader }) => leader >= 0 && behind.length > 0)
  if (found.length === 0) return []
  const brokers = ids(found.flatMap(({ behind }) => behind))
  return [
    {
      kind: "under-replicated",
      severity: "problem",
      message: `${count(found.length, "partition")} ${have(found.length)} replicas that are not in sync, on ${brokersText(brokers)}: ${listed(namesOf(found))}. Nothing is lost; fewer brokers may fail before messages are.`,
      advice: "Start the brokers that do not run. A replica that copies what it missed joins by itself.",
      partitions: namesOf(found),
      brokers
    }
  ]
}

/** Bytes of a volume below which its broker takes no part in replication, and their share of a small one. */
const reserveBytes = 33_554_432
const reserveShare = 0.02

const directories = ({ directories: all = [] }: ClusterState): ReadonlyArray<Finding> =>
  all.flatMap(({ broker, isOffline, logs, path, totalBytes = 0, usableBytes = Number.POSITIVE_INFINITY }): ReadonlyArray<Finding> => {
    const found = { severity: "problem", partitions: [...logs], brokers: [broker] } as const
    if (isOffline)
      return [
        {
          ...found,
          kind: "offline directory",
          message: `The data directory ${path} of broker ${broker} is offline: its disk failed. Partitions with other replicas have other leaders.`,
          advice: `Look at the disk, and start broker ${broker} again when it works.`
        }
      ]
    if (usableBytes >= Math.min(reserveBytes, totalBytes * reserveShare)) return []
    return [
      {
        ...found,
        kind: "full disk",
        message: `The data directory ${path} of broker ${broker} has ${usableBytes} of ${totalBytes} bytes left. When its disk is full, other brokers lead its partitions where they are in sync; partitions without another replica in sync refuse writes with KAFKA_STORAGE_ERROR.`,
        advice: `Free space there, or lower retention.bytes or retention.ms of large topics. Broker ${broker} takes part again by itself.`
      }
    ]
  })

/** A leader that runs and has no log of its partition that it could open: the log is damaged or missing, and the last copy. */
const withoutLog = ({ directories: known }: ClusterState, all: ReadonlyArray<Placed>): ReadonlyArray<Finding> => {
  if (known === undefined) return []
  const described = new Set(known.filter(({ isOffline }) => !isOffline).map(({ broker }) => broker))
  const has = (leader: number, name: string): boolean => known.some(({ broker, isOffline, logs }) => broker === leader && (isOffline || logs.has(name)))
  const found = all.filter(({ leader, name }) => described.has(leader) && !has(leader, name))
  if (found.length === 0) return []
  const brokers = ids(found.map(({ leader }) => leader))
  return [
    {
      kind: "leader without log",
      severity: "problem",
      message: `${count(found.length, "partition")} ${are(found.length)} led by ${brokersText(brokers)}, whose log of it is damaged or missing: ${listed(namesOf(found))}. Reads and writes get KAFKA_STORAGE_ERROR, and no other replica is known to have all acknowledged messages.`,
      advice: `\`franz log verify DIR\` on that broker names the damage, and \`franz log repair\` repairs it while the broker is stopped. Or stop ${brokersText(brokers)}, and \`franz partition elect --unclean ${found[0]?.name ?? "PARTITION"}\` lets another replica lead: messages are lost.`,
      partitions: namesOf(found),
      brokers
    }
  ]
}

const fenced = ({ brokers }: ClusterState, all: ReadonlyArray<Placed>): ReadonlyArray<Finding> =>
  brokers
    .filter(({ isFenced }) => isFenced)
    .map(({ host, id, port }) => {
      const held = all.filter(({ replicas }) => replicas.includes(id))
      const single = held.filter(({ replicas }) => replicas.length === 1).length
      return {
        kind: "fenced broker",
        severity: held.length > 0 ? "problem" : "note",
        message: `Broker ${id} at ${host}:${port} does not serve, and has replicas of ${count(held.length, "partition")}.`,
        advice:
          held.length === 0
            ? `Start it, or remove its registration: \`franz broker remove ${id}\`.`
            : `Start it with its data.${held.length > single ? " After franz.broker.replacement.delay.ms its replicas move to other brokers, if enough run." : ""}${
                single > 0 ? ` ${count(single, "partition")} ${have(single)} no other copy and ${single === 1 ? "waits" : "wait"} for it.` : ""
              }`,
        partitions: namesOf(held),
        brokers: [id]
      }
    })

const unregistered = ({ brokers }: ClusterState, all: ReadonlyArray<Placed>): ReadonlyArray<Finding> =>
  ids(all.flatMap(({ replicas }) => replicas))
    .filter((id) => brokers.every((broker) => broker.id !== id))
    .map((id) => {
      const held = all.filter(({ replicas }) => replicas.includes(id))
      return {
        kind: "unregistered broker",
        severity: "problem",
        message: `Broker ${id} is not registered, and has replicas of ${count(held.length, "partition")}.`,
        advice: `Start it with its data, or a new one in its place: \`franz broker --id auto --leader HOST:PORT --data DIR\`. After franz.broker.replacement.delay.ms its replicas move to other brokers.`,
        partitions: namesOf(held),
        brokers: [id]
      }
    })

const unbalanced = ({ brokers }: ClusterState, all: ReadonlyArray<Placed>): ReadonlyArray<Finding> => {
  const serves = new Set(brokers.filter(({ isFenced }) => !isFenced).map(({ id }) => id))
  const found = all.filter(({ isr, leader, replicas: [first = -1] }) => leader >= 0 && leader !== first && isr.includes(first) && serves.has(first))
  if (found.length === 0) return []
  return [
    {
      kind: "unbalanced leaders",
      severity: "note",
      message: `${count(found.length, "partition")} ${are(found.length)} led by another broker than the preferred one, which is in sync: ${listed(namesOf(found))}.`,
      advice: "`franz partition elect` elects the preferred leaders; with auto.leader.rebalance.enable the cluster does so by itself.",
      partitions: namesOf(found),
      brokers: ids(found.map(({ leader }) => leader))
    }
  ]
}

const moves = ({ moves: all }: ClusterState): ReadonlyArray<Finding> => {
  if (all.length === 0) return []
  const each = all.map(
    ({ adding, partition, removing, topic }) =>
      `${topic}-${partition} (to ${adding.join(",") || "fewer"}${removing.length === 0 ? "" : `, from ${removing.join(",")}`})`
  )
  const [first] = all
  return [
    {
      kind: "moves under way",
      severity: "note",
      message: `${count(all.length, "partition")} ${are(all.length)} moved to other brokers: ${listed(each)}.`,
      advice: `A move ends when the new replicas are in sync. \`franz partition move ${first?.topic}-${first?.partition} --cancel\` cancels one.`,
      partitions: all.map(({ partition, topic }) => `${topic}-${partition}`),
      brokers: ids(all.flatMap(({ adding, removing }) => [...adding, ...removing]))
    }
  ]
}

/** There are enough brokers for the partitions of groups, and the leader has not made them. */
const groupsNotHandedOver = ({ brokers, groups }: ClusterState): ReadonlyArray<Finding> => {
  const serving = brokers.filter(({ isFenced }) => !isFenced).map(({ id }) => id)
  if (groups === undefined || groups.handoverAtBrokers === null || serving.length < groups.handoverAtBrokers) return []
  return [
    {
      kind: "groups not handed over",
      severity: "note",
      message: `The cluster's leader still coordinates all groups, although ${count(serving.length, "broker")} ${serving.length === 1 ? "serves" : "serve"}. While no leader runs, no group can commit or rebalance.`,
      advice:
        "It hands them over as soon as every registered broker has a version that coordinates groups: upgrade the others, or remove their registrations (`franz broker remove ID`). If all have one, the leader's log says why it could not make __group_metadata.",
      partitions: [],
      brokers: serving
    }
  ]
}

/** Returns what is wrong with a cluster, and what the operator should know: the worst first. */
export const findingsOf = (cluster: ClusterState): ReadonlyArray<Finding> => {
  const all = placed(cluster)
  return [
    ...notLed(cluster),
    ...offline(all),
    ...withoutLog(cluster, all),
    ...underMinIsr(all),
    ...underReplicated(all),
    ...directories(cluster),
    ...fenced(cluster, all),
    ...unregistered(cluster, all),
    ...unbalanced(cluster, all),
    ...moves(cluster),
    ...groupsNotHandedOver(cluster)
  ]
}
