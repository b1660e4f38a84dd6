import { Chance } from "./chance.ts"

/** How a topic is compacted. */
export interface Compaction {
  /** Its place among the topics. */
  readonly topic: number
  readonly segmentBytes: number
  /** How many keys its records have. */
  readonly keys: number
  readonly dirtyRatioMin: number
  readonly backoffMs: number
}
/** How topics are replicated. */
interface Replicated {
  /** Replicas of each topic, by its place among the topics. */
  readonly factors: ReadonlyArray<number>
  readonly minIsr: number
  /** Racks over which the brokers are spread; 0: they have none. */
  readonly racks: number
  /** Mean time between two moves of a partition, ms; undefined where none is moved. */
  readonly moveEveryMs: number | undefined
  /** After which time a lost broker is replaced, ms; -1: never. */
  readonly replacementMs: number
  /** After which time a replica that is behind leaves the in-sync set, ms. */
  readonly lagMs: number
  /** Whether single connections stall, while others between the same hosts deliver. */
  readonly stalls: boolean
  /** Mean time between two changes of min.insync.replicas of a topic, to 1 or 2, ms; undefined where it stays. */
  readonly minIsrEveryMs: number | undefined
}
/** Groups that brokers coordinate, in the partitions of `__group_metadata`. */
interface GroupPartitions {
  readonly replicationFactor: number
  /** When the leader restarts with the setting that hands its groups over, ms from the beginning of the faults; undefined: it has the setting from its first start on. */
  readonly handOverAtMs: number | undefined
}
/** Drawn apart, like the compaction. */
const laterDrawn = (seed: number): Pick<Replicated, "stalls" | "minIsrEveryMs"> => {
  const chance = new Chance(seed * 6529 + 1677)
  return { stalls: chance.isTrue(0.4), minIsrEveryMs: chance.isTrue(0.25) ? 1000 : undefined }
}
/** Drawn apart, so that what else a seed draws is what it was. */
const compactionOf = (seed: number, topics: number): Compaction | undefined => {
  const chance = new Chance(seed * 6101 + 5)
  if (!chance.isTrue(0.6)) return undefined
  return {
    topic: chance.below(topics),
    segmentBytes: chance.pick([600, 2000, 5000]),
    keys: chance.pick([2, 5, 20]),
    dirtyRatioMin: chance.pick([0.01, 0.2, 0.5]),
    backoffMs: chance.pick([50, 300, 1000])
  }
}

/** What a seed chooses for its run, besides what happens in it. Durations in ms. */
export interface Options {
  readonly seed: number
  readonly brokers: number
  /** Topics that are written to, by their partition counts. */
  readonly topics: ReadonlyArray<number>
  readonly producers: number
  readonly consumerGroups: ReadonlyArray<number>
  readonly memberGroups: ReadonlyArray<number>
  readonly segmentBytes: number
  readonly snapshotEvents: number
  readonly brokerSessionMs: number
  readonly groupSessionMs: number
  readonly deliveryTimeoutMs: number
  /** How long a parcel is on its way. */
  readonly delayMs: readonly [number, number]
  /** The chance that a connection breaks instead of carrying a parcel. */
  readonly breakChance: number
  readonly syncMs: readonly [number, number]
  /** Mean time between two faults. */
  readonly faultEveryMs: number
  readonly sendEveryMs: number
  /** Mean time between two DeleteRecords; undefined where none are sent. */
  readonly trimEveryMs: number | undefined
  /** The topic that is compacted, and how; undefined where none is. */
  readonly compaction: Compaction | undefined
  /** How topics are replicated; undefined where each partition has one replica. */
  readonly replicated: Replicated | undefined
  /** Where the groups are handed over to the brokers; undefined: the leader coordinates them. */
  readonly groupPartitions: GroupPartitions | undefined
  /** How long faults occur, and how long the cluster may take to become stable after that. */
  readonly faultsMs: number
  readonly restMs: number
}

/** What `seed` draws: no two runs look alike in their outer form either. `seconds`: how long faults occur. */
export const optionsOf = (seed: number, seconds = 30): Options => {
  const chance = new Chance(seed * 7919 + 17)
  const topics = Array.from({ length: chance.between(1, 3) }, () => chance.between(1, 4))
  return {
    seed,
    brokers: 2,
    topics,
    producers: chance.between(2, 4),
    consumerGroups: Array.from({ length: chance.between(1, 2) }, () => chance.between(1, 3)),
    memberGroups: [chance.between(1, 3)],
    segmentBytes: chance.pick([2000, 10_000, 1_000_000]),
    snapshotEvents: chance.pick([5, 20, 1000]),
    brokerSessionMs: chance.pick([1000, 3000, 9000]),
    groupSessionMs: chance.pick([2000, 6000]),
    deliveryTimeoutMs: chance.pick([3000, 15_000, 60_000]),
    delayMs: chance.pick([
      [0, 1],
      [0, 5],
      [1, 40]
    ] as const),
    breakChance: chance.pick([0, 0.0005, 0.003]),
    syncMs: chance.pick([
      [0, 1],
      [1, 10],
      [5, 60]
    ] as const),
    faultEveryMs: chance.pick([500, 1500, 4000]),
    sendEveryMs: chance.pick([20, 60, 200]),
    trimEveryMs: chance.pick([undefined, 300, 2000]),
    compaction: compactionOf(seed, topics.length),
    replicated: undefined,
    groupPartitions: undefined,
    faultsMs: seconds * 1000,
    restMs: 180_000
  }
}

/** What `seed` draws for a cluster whose topics have several replicas. Fewer clients than in other runs: each record costs more work. */
export const replicatedOptionsOf = (seed: number, seconds = 30): Options => {
  const base = optionsOf(seed, seconds)
  const chance = new Chance(seed * 5381 + 29)
  const brokers = chance.pick([3, 3, 3, 4, 5])
  const topics = Array.from({ length: chance.between(1, 2) }, () => chance.between(1, 3))
  return {
    ...base,
    brokers,
    topics,
    producers: chance.between(2, 3),
    consumerGroups: [chance.between(1, 2)],
    memberGroups: [1],
    sendEveryMs: chance.pick([40, 100, 250]),
    compaction: undefined,
    replicated: {
      factors: topics.map((_, nth) => (nth === 0 ? chance.pick([2, 3, 3]) : chance.pick([1, 2, 3]))),
      minIsr: chance.pick([1, 2, 2]),
      racks: chance.pick([0, 0, 2, 3]),
      moveEveryMs: chance.pick([undefined, 1000, 4000]),
      replacementMs: chance.pick([-1, -1, 2000, 6000]),
      lagMs: chance.pick([2000, 6000, 30_000]),
      ...laterDrawn(seed)
    }
  }
}

/** What `seed` draws for a cluster whose brokers coordinate its groups, some of them handed over by the leader while it runs. */
export const groupOptionsOf = (seed: number, seconds = 30): Options => {
  const base = replicatedOptionsOf(seed, seconds)
  const chance = new Chance(seed * 4703 + 11)
  return {
    ...base,
    topics: base.topics.slice(0, 1),
    producers: 1,
    consumerGroups: [chance.between(1, 2)],
    memberGroups: Array.from({ length: chance.between(1, 2) }, () => chance.between(1, 2)),
    groupPartitions: {
      replicationFactor: chance.pick([2, 3, 3]),
      handOverAtMs: chance.isTrue(0.7) ? chance.between(0, (seconds * 1000) / 2) : undefined
    }
  }
}
