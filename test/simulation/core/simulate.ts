import { brokerOf } from "../../../domain/cluster/state.ts"
import type { Violation } from "../checker/violation.ts"
import { Consumer } from "./consumer.ts"
import { Faults } from "./faults.ts"
import type { CoreOptions } from "./options.ts"
import { isLost, partitionIn } from "./partitions.ts"
import { Producer } from "./producer.ts"
import type { Rules } from "./rules.ts"
import type { Sometimes } from "./sometimes.ts"
import { World } from "./world.ts"

/** What a run was and found. */
export interface CoreRun {
  readonly violations: ReadonlyArray<Violation & { readonly at: number; readonly partition: string | undefined }>
  readonly simulatedMs: number
  /** Of all that happened: equal runs have equal ones. */
  readonly fingerprint: string
  readonly sometimes: Sometimes
  /** What happened, where that was asked for. */
  readonly lines: ReadonlyArray<string>
  readonly faults: number
  readonly records: number
  readonly happenings: number
}

const checkEveryMs = 500
const wholeEveryMs = 1000

/** A run: the world, those who use it, and what is checked beside them. */
class Simulation {
  private readonly world: World
  private readonly faults: Faults
  private readonly producers: ReadonlyArray<Producer>
  private readonly consumer: Consumer

  constructor(
    private readonly options: CoreOptions,
    rules: Rules,
    keepsLines: boolean
  ) {
    this.world = new World(options, rules, keepsLines)
    this.faults = new Faults(this.world)
    this.producers = options.producers.map(({ acks, everyMs }, id) => new Producer(this.world, id, acks, everyMs))
    this.consumer = new Consumer(this.world)
  }

  run(): CoreRun {
    const { options, world } = this
    const { checks, queue } = world
    const mayRun = () => checks.violations.length === 0
    try {
      for (const candidate of world.candidates) candidate.start()
      for (const broker of world.brokers) broker.start()
      for (const producer of this.producers) producer.start()
      this.consumer.start()
      this.foundTopics(options.topics.length)
      this.faults.begin()
      this.check()
      queue.runUntil(options.faultsMs, mayRun)
      if (mayRun()) this.rest()
    } catch (cause) {
      checks.broken("bug", cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
    }
    return {
      violations: checks.violations,
      simulatedMs: queue.now,
      fingerprint: world.fingerprint,
      sometimes: world.sometimes,
      lines: world.lines,
      faults: this.faults.done,
      records: world.nextNumber(),
      happenings: queue.ran
    }
  }

  /** The topics are added when all brokers serve. */
  private foundTopics(left: number): void {
    const { options, world } = this
    const { leader } = this.faults.operator
    const ready = leader !== undefined && leader.cluster.eventLevel > 1 && world.brokers.every(({ id }) => brokerOf(leader.cluster, id)?.fenced === false)
    const more = ready && this.faults.operator.addTopic(options.topics[options.topics.length - left] as CoreOptions["topics"][number]) ? left - 1 : left
    if (more > 0 && !world.isResting) world.queue.after(100, () => this.foundTopics(more))
  }

  private check(): void {
    this.world.checks.replicas()
    this.world.queue.after(checkEveryMs, () => this.check())
  }

  /** Ends every fault, and waits until the cluster is whole. */
  private rest(): void {
    const { options, world } = this
    const { brokers, candidates, checks, network, queue } = world
    world.note(() => "faults have ended")
    world.isResting = true
    network.calm()
    for (const producer of this.producers) producer.end()
    for (const candidate of candidates) {
      candidate.pausedUntil = 0
      if (!candidate.isUp) candidate.start()
    }
    for (const broker of brokers) {
      broker.pausedUntil = 0
      broker.slowDiskUntil = broker.slowImageUntil = broker.losesAnswersUntil = 0
      if (broker.isLeaving && broker.isUp) broker.stop(false)
      if (!broker.isUp) broker.start()
    }
    const until = queue.now + options.restMs
    let missing: ReadonlyArray<string> = ["time"]
    while (missing.length > 0 && queue.now < until && checks.violations.length === 0) {
      queue.runUntil(queue.now + wholeEveryMs, () => checks.violations.length === 0)
      missing = this.unfinished()
      this.help()
    }
    if (checks.violations.length > 0) return
    for (const one of missing.slice(0, 3)) checks.broken("liveness", `${one}, ${options.restMs / 1000} s after the last fault`, /^\S+-\d+/.exec(one)?.[0])
    if (missing.length === 0) this.finalChecks()
  }

  /** What operators do about partitions that are lost: the last copy that the cluster counts on is gone. */
  private help(): void {
    const { brokers, journal, partitions } = this.world
    for (const known of partitions.present) {
      const partition = partitionIn(journal.state, known)
      if (partition === undefined || partition.replicas.length === 1 || !isLost(known, partition)) continue
      const leader = brokers[partition.leader]
      // A broker that leads a log which it does not have has to stop, so that another one can be elected: one at a time.
      if (leader === undefined) this.faults.operator.electUncleanly(known)
      else if (brokers.every(({ isUp }) => isUp)) {
        leader.stop(false)
        this.world.restart(leader, 2 * this.options.sessionMs)
      }
    }
  }

  /** What is not as it should be once nothing disturbs the cluster. */
  private unfinished(): ReadonlyArray<string> {
    const { brokers, journal, partitions } = this.world
    const { state } = journal
    const missing: Array<string> = []
    for (const { id } of brokers)
      if (brokerOf(state, id)?.fenced !== false || brokerOf(state, id)?.leavingAt !== undefined) missing.push(`broker ${id} is not unfenced`)
    for (const known of partitions.present) {
      const partition = partitionIn(state, known)
      if (partition === undefined) continue
      const { adding, isr, leader, removing, replicas } = partition
      const name = partitions.nameOf(known.key)
      if (leader === -1) missing.push(`${name} has no leader, in sync ${isr}, ELR ${partition.elr}`)
      else if (isr.length < replicas.length) missing.push(`${name} has replicas ${replicas}, and ${isr} in sync`)
      else if (adding.length + removing.length > 0) missing.push(`${name} is still moved`)
      else if (brokers[leader]?.replicas.get(known.key)?.lead === undefined) missing.push(`${name}: broker ${leader} does not lead`)
    }
    for (const producer of this.producers) if (producer.waiting > 0) missing.push(`${producer.waiting} records of a producer are not acknowledged`)
    return missing
  }

  private finalChecks(): void {
    const { brokers, checks, journal, partitions } = this.world
    checks.replicas()
    for (const known of partitions.present) {
      const leader = partitionIn(journal.state, known)?.leader ?? -1
      const log = brokers[leader]?.logs.get(known.key)
      if (log !== undefined) checks.finalLog(known, log)
    }
  }
}

/** Runs a seed's options to the end, or to the first invariant that is broken. */
export const simulateCore = (options: CoreOptions, rules: Rules, keepsLines = false): CoreRun => new Simulation(options, rules, keepsLines).run()
