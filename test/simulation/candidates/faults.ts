import { Effect } from "effect"
import type { Txn } from "../../../adapters/journal/etcd/client.ts"
import type { Host } from "../world/host.ts"
import type { CandidatesRun } from "./world.ts"

/** One thing that goes wrong, and how long until it is right again; the effect returns when it is. */
type Fault = (run: CandidatesRun) => Effect.Effect<void>

/** The key of the append that a transaction does. */
const appended = ({ then }: Txn): string | undefined =>
  then.flatMap((operation) => ("put" in operation && operation.put.includes("/e/") ? [operation.put] : []))[0]
const isAppend = (txn: Txn): boolean => appended(txn) !== undefined
const anyWrite = (): boolean => true

/** The candidate that leads, more often than another one. */
const victim = (run: CandidatesRun): Host => {
  const leading = run.leading
  return leading !== undefined && run.chance.isTrue(0.7) ? leading : run.chance.pick(run.candidates)
}

const killCandidate: Fault = (run) =>
  Effect.sync(() => {
    const host = victim(run)
    if (host === run.leading) run.reached.hit("the leader was killed")
    host.kill(run.chance.isTrue(0.5) ? "process" : "power")
  })
const stopCandidate: Fault = (run) => Effect.suspend(() => victim(run).stop)

const pauseCandidate: Fault = (run) =>
  Effect.gen(function* () {
    const { chance, options, reached } = run
    const host = victim(run)
    const ms = chance.pick([200, options.leaseMs / 2, options.leaseMs + 200, 2 * options.leaseMs, 15_000])
    if (host === run.leading && ms > options.leaseMs) reached.hit("the leader was stopped past its lease")
    host.pause()
    yield* Effect.sleep(ms)
    host.continue()
  })

const dropConnections: Fault = ({ candidates, chance, hosts, network, recorder }) =>
  Effect.sync(() => {
    const [a, b] = [chance.pick(candidates).name, chance.pick(hosts).name]
    recorder.say(`the network drops ${network.drop(a, b)} ends between ${a} and ${b}`)
  })

const cutOff: Fault = ({ candidates, chance, cuts, hosts, recorder }) =>
  Effect.gen(function* () {
    const [a, b] = [chance.pick(candidates).name, chance.pick(hosts).name]
    if (a === b) return
    const ms = chance.pick([200, 1000, 6000])
    recorder.say(`${a} and ${b} are cut off for ${ms} ms`)
    const heal = cuts.cut(a, b, chance.isTrue(0.3))
    yield* Effect.sleep(ms)
    heal()
  })

/** A candidate does not reach etcd; clients reach it. */
const cutFromEtcd: Fault = (run) =>
  Effect.gen(function* () {
    const { chance, etcd, options, recorder } = run
    const { process } = victim(run)
    const ms = chance.pick([300, options.leaseMs + 500, 10_000])
    recorder.say(`${process} does not reach etcd for ${ms} ms`)
    etcd.stop(process)
    yield* Effect.sleep(ms)
    etcd.resume(process)
  })

/** The next writes meet a fault on their way. */
const unknownResults: Fault = ({ chance, etcd, recorder }) =>
  Effect.sync(() => {
    const which = chance.isTrue(0.7) ? isAppend : anyWrite
    etcd.lateMs = chance.pick([100, 1500, 3000, 9000])
    for (let count = chance.between(1, 4); count > 0; count--) {
      const fault = chance.pick(["lost", "unanswered", "twice", "late", "late", "full", "overfull"] as const)
      recorder.say(`a write to etcd will be ${fault}`)
      etcd.fault(which, fault)
    }
  })

/** An append is late, and the attempt after it finds the store full: the first one must not happen any more. */
const lateThenFull: Fault = ({ etcd, recorder }) =>
  Effect.sync(() => {
    recorder.say("a write to etcd will be late, and the next one finds the store full")
    etcd.lateMs = 2300
    let late: string | undefined
    etcd.fault((txn) => (late = appended(txn)) !== undefined, "late")
    etcd.fault((txn) => late !== undefined && appended(txn) === late, "full")
  })

const restartMember: Fault = (run) =>
  Effect.suspend(() => {
    const { chance, etcd, reached, recorder } = run
    reached.hit("a member of etcd restarted")
    recorder.say("a member of etcd restarts")
    const names = run.candidates.map(({ process }) => process).filter(() => chance.isTrue(0.6))
    return Effect.forEach(names, (name) => etcd.restartMember(name), { discard: true })
  })

const noQuorum: Fault = ({ chance, etcd, options, reached, recorder }) =>
  Effect.gen(function* () {
    const ms = chance.pick([300, options.leaseMs / 2, options.leaseMs + 1000, 15_000])
    recorder.say(`etcd has no majority for ${ms} ms`)
    if (ms > options.leaseMs) reached.hit("etcd had no majority for longer than the lease")
    etcd.keepsProposals = chance.isTrue(0.5)
    if (etcd.keepsProposals) reached.hit("writes without a majority were kept until there was one")
    etcd.hasQuorum = false
    yield* Effect.sleep(ms)
    etcd.hasQuorum = true
  })

const slowEtcd: Fault = ({ chance, recorder, setEtcdMs }) =>
  Effect.gen(function* () {
    const most = chance.pick([100, 600, 2500])
    recorder.say(`etcd is slow: up to ${most} ms each way`)
    setEtcdMs([0, most])
    yield* Effect.sleep(chance.between(500, 5000))
    setEtcdMs(undefined)
  })

const fullStore: Fault = ({ chance, etcd, reached, recorder }) =>
  Effect.gen(function* () {
    reached.hit("the store was full")
    recorder.say("the store of etcd is full")
    etcd.isFull = true
    yield* Effect.sleep(chance.between(200, 4000))
    etcd.isFull = false
  })

const silentWatches: Fault = ({ chance, etcd, reached, recorder }) =>
  Effect.gen(function* () {
    reached.hit("watches were silent")
    recorder.say("watches of etcd are silent")
    etcd.isHanging = true
    yield* Effect.sleep(chance.between(500, 8000))
    etcd.isHanging = false
  })

const compaction: Fault = ({ etcd, reached }) =>
  Effect.suspend(() => {
    reached.hit("watches ended by compaction")
    return etcd.cancelWatches
  })

const lostLeases: Fault = ({ etcd, reached, recorder }) =>
  Effect.suspend(() => {
    reached.hit("etcd ended all leases")
    recorder.say("etcd ends all leases")
    return etcd.revokeAll
  })

const faults: ReadonlyArray<readonly [fault: Fault, weight: number]> = [
  [killCandidate, 4],
  [stopCandidate, 2],
  [pauseCandidate, 8],
  [dropConnections, 2],
  [cutOff, 2],
  [cutFromEtcd, 3],
  [unknownResults, 7],
  [lateThenFull, 4],
  [restartMember, 3],
  [noQuorum, 2],
  [slowEtcd, 2],
  [fullStore, 1],
  [silentWatches, 1],
  [compaction, 1],
  [lostLeases, 1]
]

const drawn = ({ chance }: CandidatesRun): Fault => {
  let at = chance.below(faults.reduce((sum, [, weight]) => sum + weight, 0))
  return (faults.find(([, weight]) => (at -= weight) < 0) ?? (faults[0] as (typeof faults)[number]))[0]
}

/** Faults one after the other, some of them at the same time, until it is interrupted. */
export const troubling = (run: CandidatesRun): Effect.Effect<never> =>
  Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(run.chance.between(1, run.options.faultEveryMs * 2))
      run.faults++
      yield* Effect.fork(drawn(run)(run))
    })
  )
