import { Clock, Effect } from "effect"
import type { FaultParts } from "./faults.ts"
import type { Host } from "./host.ts"

/** What the faults of replicated clusters need besides. */
export interface ReplicaFaultParts {
  /** Brokers alone. */
  readonly brokers: ReadonlyArray<Host>
  /** Replicas that each partition has at least. */
  readonly replicasMin: number
  /** What is not whole: undefined where every broker serves, and every in-sync set is full. */
  readonly missing: () => string | undefined
  /** Reads the sealed segments of all brokers through. */
  readonly scrub: Effect.Effect<boolean>
  /** The connections between hosts break by chance, or not. */
  readonly setBreaking: (breaks: boolean) => void
  readonly stalls: boolean
}
type ReplicaFault = (parts: FaultParts, replicas: ReplicaFaultParts) => Effect.Effect<void>

const others = (brokers: ReadonlyArray<Host>, one: Host): ReadonlyArray<Host> => brokers.filter((host) => host !== one)

/** Two brokers do not reach each other, in one direction or in both; the cluster's leader reaches both. */
export const cutBrokers: ReplicaFault = ({ chance, cuts, recorder }, { brokers }) =>
  Effect.gen(function* () {
    const one = chance.pick(brokers)
    const other = chance.pick(others(brokers, one))
    const oneWay = chance.isTrue(0.5)
    const ms = chance.pick([500, 3000, 12_000])
    recorder.say(`${one.name} ${oneWay ? "reaches" : "and"} ${other.name} ${oneWay ? "no more" : "are cut off"} for ${ms} ms, as brokers alone`)
    const heal = cuts.cut(one.name, other.name, oneWay)
    yield* Effect.sleep(ms)
    heal()
  })

/** SIGSTOP and SIGCONT of any node: of the cluster's leader, or of brokers that lead partitions, also past their sessions. */
export const pauseNode: ReplicaFault = ({ chance, nodes }) =>
  Effect.gen(function* () {
    const host = chance.pick(nodes)
    const ms = chance.pick([300, 2000, 6000, 15_000])
    if (!host.isUp) return
    host.pause()
    yield* Effect.sleep(ms)
    host.continue()
  })

/** One connection of a node stalls: what comes by others overtakes it. */
export const stallConnection: ReplicaFault = ({ chance, nodes }) =>
  Effect.gen(function* () {
    const deliver = chance.pick(nodes).stall()
    if (deliver === undefined) return
    yield* Effect.sleep(chance.pick([200, 1000, 3000, 8000]))
    deliver()
  })

const pollMs = 100
/** Waits until the cluster is whole; returns whether it is. */
const becomesWhole = ({ missing }: ReplicaFaultParts, limitMs: number): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + limitMs
    while (missing() !== undefined) {
      if ((yield* Clock.currentTimeMillis) >= until) return false
      yield* Effect.sleep(pollMs)
    }
    return true
  })

const wholeMsMax = 20_000
/**
 * A fault that takes what was acknowledged from some replicas: nothing else may go wrong meanwhile, since only the other replicas have it. It begins with a whole cluster, and
 * ends with one.
 */
const alone =
  (fault: ReplicaFault): ReplicaFault =>
  (parts, replicas) =>
    Effect.gen(function* () {
      if (replicas.replicasMin < 2) return
      for (const host of parts.nodes) host.spare()
      replicas.setBreaking(false)
      if (!(yield* becomesWhole(replicas, wholeMsMax))) return
      yield* fault(parts, replicas)
      yield* Effect.sleep(1000)
      yield* becomesWhole(replicas, wholeMsMax)
    }).pipe(Effect.ensuring(Effect.sync(() => replicas.setBreaking(true))))

/** The disk of a broker is replaced by an empty one. */
const wipeDisk: ReplicaFault = ({ chance }, { brokers }) => Effect.sync(() => chance.pick(brokers).wipe())

/**
 * A byte of a replica's log is changed while its broker is down. A sealed segment is served with the damage for a while. Then the scrub finds it: until it does, the log would count
 * as a copy that another fault may spare.
 */
const damageLog: ReplicaFault = ({ chance, recorder }, replicas) =>
  Effect.suspend(() => {
    const host = chance.pick(replicas.brokers)
    host.kill("process")
    const damaged = host.damage()
    if (damaged === undefined) return Effect.void
    recorder.say(`a byte of ${damaged} is changed on ${host.name}`)
    return Effect.delay(becomesWhole(replicas, wholeMsMax), 2000).pipe(Effect.zipRight(replicas.scrub), Effect.asVoid)
  })

/** Disks of fewer brokers than a partition has replicas say that they sync, and do not; then their power goes. */
const lyingSync: ReplicaFault = ({ chance }, { brokers, replicasMin }) =>
  Effect.gen(function* () {
    const first = chance.pick(brokers)
    const liars = [first, ...(replicasMin > 2 && chance.isTrue(0.5) ? [chance.pick(others(brokers, first))] : [])]
    for (const host of liars) host.lie()
    yield* Effect.sleep(chance.between(200, 3000))
    for (const host of liars) host.exposeLie()
  })

/** One of those that take records from replicas. */
export const loseRecords: ReplicaFault = (parts, replicas) => alone(parts.chance.pick([wipeDisk, damageLog, lyingSync]))(parts, replicas)
