import { Chance } from "../chance.ts"
import { drawPlan, type PlannedStep } from "./plan.ts"

/** A topic as a seed draws it. */
export interface DrawnTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly minIsr: number
}

/** What a seed chooses for its run, besides the order in which things happen. Durations in ms. */
export interface CoreOptions {
  readonly seed: number
  readonly racks: ReadonlyArray<string | null>
  /** Of the cluster's leader. */
  readonly candidates: number
  readonly topics: ReadonlyArray<DrawnTopic>
  readonly producers: ReadonlyArray<{ readonly acks: "all" | "leader"; readonly everyMs: number }>
  /** Brokers whose disks call records synced that are not: at most one less than the smallest replication factor above one. */
  readonly lying: ReadonlyArray<number>
  readonly followerReads: boolean
  readonly sessionMs: number
  readonly lagMaxMs: number
  readonly fetchWaitMs: number
  readonly leaseMs: number
  readonly delayMs: readonly [number, number]
  readonly lossChance: number
  readonly stragglerChance: number
  readonly syncMs: readonly [number, number]
  readonly pollMs: number
  /** Faults and what operators do, by time. */
  readonly plan: ReadonlyArray<PlannedStep>
  readonly faultsMs: number
  /** How long the cluster may take to become whole after the last fault. */
  readonly restMs: number
}

const names = ["orders", "payments", "clicks"] as const

const drawTopics = (chance: Chance, brokers: number): ReadonlyArray<DrawnTopic> =>
  names.slice(0, chance.between(1, names.length)).map((name) => {
    const replicationFactor = chance.pick([1, 2, 3, 3, 3])
    const minIsr = Math.min(replicationFactor, chance.pick([1, 2, 2]))
    return { name, partitions: chance.between(1, 2), replicationFactor: Math.min(brokers, replicationFactor), minIsr }
  })

/** What `seed` draws. `seconds`: how long faults occur. */
export const coreOptions = (seed: number, seconds = 100): CoreOptions => {
  const chance = new Chance(seed * 9973 + 29)
  const brokers = chance.between(3, 5)
  const rackNames = chance.pick([[null], ["a", "b"], ["a", "b", "c"]] as const)
  const topics = drawTopics(chance, brokers)
  const candidates = chance.between(1, 2)
  const faultsMs = seconds * 1000
  const replicated = topics.filter(({ replicationFactor }) => replicationFactor > 1)
  const liars = replicated.length === 0 ? 0 : Math.min(...replicated.map(({ replicationFactor }) => replicationFactor)) - 1
  const everyMs = chance.pick([40, 150, 500])
  return {
    seed,
    racks: Array.from({ length: brokers }, (_, id) => rackNames[id % rackNames.length] as string | null),
    candidates,
    topics,
    producers: Array.from({ length: chance.between(1, 3) }, () => ({ acks: chance.isTrue(0.8) ? ("all" as const) : ("leader" as const), everyMs })),
    lying: chance.isTrue(0.15) ? Array.from({ length: chance.between(0, liars) }, (_, at) => (at * 2 + 1) % brokers) : [],
    followerReads: chance.isTrue(0.4),
    sessionMs: chance.pick([2000, 4000, 9000]),
    lagMaxMs: chance.pick([1500, 4000, 10_000]),
    fetchWaitMs: chance.pick([200, 500, 500]),
    leaseMs: chance.pick([1500, 4000]),
    delayMs: chance.pick([
      [1, 3],
      [1, 12],
      [1, 80]
    ] as const),
    lossChance: chance.pick([0, 0.001, 0.01]),
    stragglerChance: chance.pick([0, 0.002, 0.02]),
    syncMs: chance.pick([
      [1, 3],
      [2, 20],
      [5, 120]
    ] as const),
    pollMs: chance.pick([200, 600]),
    plan: drawPlan(chance.fork(), { brokers, candidates, faultsMs, everyMs: chance.pick([700, 2000, 5000]), loses: chance.isTrue(0.15) }),
    faultsMs,
    restMs: 120_000
  }
}
