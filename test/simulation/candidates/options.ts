import { Chance } from "../chance.ts"

/** What a seed chooses for a run of candidates, besides what happens in it. Durations in ms. */
export interface CandidateOptions {
  readonly seed: number
  readonly candidates: number
  /** Brokers that register and beat; they keep no logs. */
  readonly brokers: number
  readonly partitions: number
  readonly members: number
  readonly groupStreams: number
  /** `metadata.snapshot.interval.events`: group streams are trimmed behind their snapshots. */
  readonly snapshotEvents: number
  readonly leaseMs: number
  readonly brokerSessionMs: number
  readonly groupSessionMs: number
  /** How long a parcel between candidates and clients is on its way. */
  readonly delayMs: readonly [number, number]
  readonly breakChance: number
  /** How long a request to etcd, or its answer, is on its way. */
  readonly etcdMs: readonly [number, number]
  /** Mean time between two faults. */
  readonly faultEveryMs: number
  /** How long faults occur, and how long the candidates may take to become stable after that. */
  readonly faultsMs: number
  readonly restMs: number
}

/** What `seed` draws; `seconds`: how long faults occur. */
export const candidateOptions = (seed: number, seconds = 30): CandidateOptions => {
  const chance = new Chance(seed * 4099 + 43)
  return {
    seed,
    candidates: chance.pick([2, 3, 3]),
    brokers: chance.between(1, 2),
    partitions: chance.between(1, 3),
    members: chance.between(1, 2),
    groupStreams: chance.between(1, 2),
    snapshotEvents: chance.pick([5, 20, 100]),
    leaseMs: chance.pick([2000, 4000, 4000]),
    brokerSessionMs: chance.pick([3000, 9000]),
    groupSessionMs: chance.pick([2000, 6000]),
    delayMs: chance.pick([
      [0, 1],
      [0, 5],
      [1, 40]
    ] as const),
    breakChance: chance.pick([0, 0.0005, 0.003]),
    etcdMs: chance.pick([
      [0, 1],
      [1, 10],
      [2, 60]
    ] as const),
    faultEveryMs: chance.pick([500, 1200, 2500]),
    faultsMs: seconds * 1000,
    restMs: 60_000
  }
}
