import { Effect, Fiber } from "effect"
import type { Chance } from "../chance.ts"
import type { Recorder } from "../recorder.ts"
import type { Cuts } from "./cuts.ts"
import type { Host } from "./host.ts"
import { cutBrokers, loseRecords, pauseNode, type ReplicaFaultParts, stallConnection } from "./replica-faults.ts"

export interface FaultParts {
  readonly chance: Chance
  readonly recorder: Recorder
  readonly cuts: Cuts
  /** Leader and brokers. */
  readonly nodes: ReadonlyArray<Host>
  readonly clients: ReadonlyArray<Host>
  readonly drop: (a: string, b: string) => number
  readonly everyMs: number
  /** How long a sync takes when a disk is well. */
  readonly syncMs: readonly [number, number]
  /** What is needed for the faults of a replicated cluster; undefined where partitions have one replica. */
  readonly replicas: ReplicaFaultParts | undefined
}

/** One thing that goes wrong, and how long until it is right again; the effect returns when it is. */
type Fault = (parts: FaultParts) => Effect.Effect<void>

const hosts = ({ clients, nodes }: FaultParts): ReadonlyArray<Host> => [...nodes, ...clients]

/** A machine crashes. A supervisor restarts it. */
const killNode: Fault = ({ chance, nodes }) =>
  Effect.sync(() => {
    const host = chance.pick(nodes)
    const way = chance.below(3)
    if (way === 0) host.kill("process")
    else if (way === 1) host.kill("power")
    else host.killAt(chance.between(1, 40))
  })
/** A machine is restarted cleanly. */
const stopNode: Fault = ({ chance, nodes }) => Effect.suspend(() => chance.pick(nodes).stop)
const killClient: Fault = ({ chance, clients }) => Effect.sync(() => chance.pick(clients).kill("process"))

const dropConnections: Fault = (parts) =>
  Effect.sync(() => {
    const { chance, drop, nodes, recorder } = parts
    const [a, b] = [chance.pick(nodes).name, chance.pick(hosts(parts)).name]
    recorder.say(`the network drops ${drop(a, b)} ends between ${a} and ${b}`)
  })

const cutOff: Fault = (parts) =>
  Effect.gen(function* () {
    const { chance, cuts, nodes, recorder } = parts
    const [a, b] = [chance.pick(nodes).name, chance.pick(hosts(parts)).name]
    if (a === b) return
    const oneWay = chance.isTrue(0.3)
    const ms = chance.pick([200, 1000, 4000, 12_000])
    recorder.say(`${a} ${oneWay ? "reaches" : "and"} ${b} ${oneWay ? "no more" : "are cut off"} for ${ms} ms`)
    const heal = cuts.cut(a, b, oneWay)
    yield* Effect.sleep(ms)
    heal()
    recorder.say(`${a} and ${b} are together again`)
  })

/** One node alone against all. */
const isolate: Fault = (parts) =>
  Effect.gen(function* () {
    const { chance, cuts, nodes, recorder } = parts
    const { name } = chance.pick(nodes)
    const ms = chance.pick([500, 3000, 11_000])
    recorder.say(`${name} is alone for ${ms} ms`)
    const heals = hosts(parts).flatMap((other) => (other.name === name ? [] : [cuts.cut(name, other.name, false)]))
    yield* Effect.sleep(ms)
    for (const heal of heals) heal()
    recorder.say(`${name} is back among the others`)
  })

const slowDisk: Fault = ({ chance, nodes, recorder, syncMs }) =>
  Effect.gen(function* () {
    const host = chance.pick(nodes)
    const most = chance.pick([100, 500, 3000])
    recorder.say(`the disk of ${host.name} is slow: up to ${most} ms a sync`)
    host.syncMs = [0, most]
    yield* Effect.sleep(chance.between(500, 5000))
    host.syncMs = syncMs
  })

/** The disk fails a sync: the node must not trust the disk any more. The operator restarts it. */
const failingSync: Fault = ({ chance, nodes, recorder }) =>
  Effect.gen(function* () {
    const host = chance.pick(nodes)
    recorder.say(`the next sync of ${host.name} fails`)
    host.failSync()
    yield* Effect.sleep(chance.between(100, 3000))
    host.mendDisk()
  })

const faults: ReadonlyArray<readonly [fault: Fault, weight: number]> = [
  [killNode, 5],
  [stopNode, 1],
  [killClient, 1],
  [dropConnections, 4],
  [cutOff, 4],
  [isolate, 1],
  [slowDisk, 2],
  [failingSync, 1]
]
const ofReplicas =
  (fault: (parts: FaultParts, replicas: ReplicaFaultParts) => Effect.Effect<void>): Fault =>
  (parts) =>
    parts.replicas === undefined ? Effect.void : fault(parts, parts.replicas)
/** This one must be alone: the faults before it end first, and the next one waits for its end. */
const losingRecords = ofReplicas(loseRecords)
const replicaFaults: typeof faults = [...faults, [ofReplicas(cutBrokers), 4], [ofReplicas(pauseNode), 4], [losingRecords, 2]]

const stallingFaults: typeof faults = [...replicaFaults, [ofReplicas(stallConnection), 6]]

const drawn = ({ chance, replicas }: FaultParts): Fault => {
  const all = replicas === undefined ? faults : replicas.stalls ? stallingFaults : replicaFaults
  let at = chance.below(all.reduce((sum, [, weight]) => sum + weight, 0))
  return (all.find(([, weight]) => (at -= weight) < 0) ?? (all[0] as (typeof faults)[number]))[0]
}

/** Faults one after the other, some of them at the same time, until it is interrupted. */
export const troubling = (parts: FaultParts): Effect.Effect<never> =>
  Effect.gen(function* () {
    const running: Array<Fiber.RuntimeFiber<void>> = []
    return yield* Effect.forever(
      Effect.gen(function* () {
        yield* Effect.sleep(parts.chance.between(1, parts.everyMs * 2))
        const fault = drawn(parts)
        if (fault === losingRecords) yield* Effect.zipRight(Fiber.joinAll(running.splice(0)), fault(parts))
        else running.push(yield* Effect.fork(fault(parts)))
      })
    )
  })
