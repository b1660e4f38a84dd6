import { Effect, Either } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { sortedTopics } from "../../../domain/cluster/state.ts"
import type { LogStore, PartitionLog } from "../../../src/ports/log-store.ts"
import { Chance } from "../chance.ts"
import { fingerprintOf } from "../fingerprint.ts"
import type { Mutant } from "../mutant/mutant.ts"
import type { Options } from "../options.ts"
import { Recorder } from "../recorder.ts"
import { Cuts } from "./cuts.ts"
import { logsOnDisk, streamOnDisk } from "./disk-reading.ts"
import { clusterFold, folds } from "./folds.ts"
import { GroupWatch } from "./group-watch.ts"
import { Host, type Program, type Surroundings } from "./host.ts"
import { type Believer, brokerName, brokerProgram, leaderName, leaderProgram } from "./nodes.ts"
import { ReplicaWatch } from "./replica-watch.ts"

/** A host with what runs on it whenever it runs. */
interface Kept {
  readonly host: Host
  readonly program: (process: string) => Program
  believer: Believer | undefined
}

/** All machines of a run, the network between them, and what watches over them. */
export class World {
  readonly clock = new VirtualClock(0)
  readonly network: MemoryNetwork
  readonly cuts: Cuts
  readonly recorder: Recorder
  readonly chance: Chance
  readonly replicas: ReplicaWatch = new ReplicaWatch(this)
  readonly groups: GroupWatch = new GroupWatch(this)
  /** Whether a leader that starts has franz.groups.engine=partitions. */
  isHandingOver = false
  private readonly kept = new Map<string, Kept>()
  private readonly down = new Set<string>()
  /** The logs that the present process of each host has opened. */
  private readonly openLogs = new Map<string, Array<PartitionLog>>()
  /** Names of topics by their ids, as far as any node knew them. */
  readonly names = new Map<string, string>()
  private numbers = 0
  private connections = 0

  constructor(
    readonly options: Options,
    readonly mutant: Mutant,
    linesMax: number
  ) {
    this.chance = new Chance(options.seed)
    this.isHandingOver = options.groupPartitions !== undefined && options.groupPartitions.handOverAtMs === undefined
    this.recorder = new Recorder(() => this.clock.unsafeCurrentTimeMillis(), linesMax)
    this.network = new MemoryNetwork({ delayMs: options.delayMs, breakChance: options.breakChance, segmentBytes: [1, 4000] })
    this.cuts = new Cuts(this.network)
    this.add(leaderName, () => leaderProgram(options, mutant, this.isHandingOver ? "partitions" : "leader", (leader) => this.believes(leaderName, leader)))
    for (let id = 1; id <= options.brokers; id++)
      this.add(brokerName(id), () =>
        brokerProgram(
          id,
          options,
          mutant,
          (broker) => this.believes(brokerName(id), broker),
          (routes) => (options.replicated === undefined ? routes : this.replicas.watched(id, routes))
        )
      )
  }

  /** The next number of the run. */
  readonly number = (): number => ++this.numbers

  /** A machine with a program that is started anew whenever it was killed. It is not started yet. */
  add(name: string, program: (process: string) => Program): Host {
    const { clock, mutant, network, recorder } = this
    const around: Surroundings = {
      clock,
      network,
      recorder,
      connectionId: () => ++this.connections,
      store: (store, host) => this.withOpenLogs(mutant.store?.(store, host === leaderName ? "leader" : "broker") ?? store, host),
      disk: () => mutant.disk?.() ?? new MemoryDisk()
    }
    const host = new Host(name, around, this.chance.fork(), (died) => this.down.add(died))
    host.syncMs = this.options.syncMs
    this.kept.set(name, { host, program, believer: undefined })
    return host
  }
  private withOpenLogs(store: LogStore["Type"], host: string): LogStore["Type"] {
    const logs: Array<PartitionLog> = []
    this.openLogs.set(host, logs)
    return { ...store, open: (...named) => Effect.tap(store.open(...named), (log) => void logs.push(log)) }
  }
  /**
   * Reads all sealed segments of the brokers through, as the background scrub does within a week: damage takes a log offline. Returns whether damage was found.
   */
  readonly scrub: Effect.Effect<boolean> = Effect.suspend(() => {
    const brokers = this.nodes.filter(({ isUp, name }) => isUp && name !== leaderName)
    const logs = brokers.flatMap(({ name }) => this.openLogs.get(name) ?? []).filter((log) => log.refusal() === undefined)
    const isDamaged = (log: PartitionLog) => Effect.map(Effect.either(log.scrub), (read) => Either.isLeft(read) && read.left.reason === "corrupt")
    return Effect.map(Effect.forEach(logs, isDamaged), (damaged) => damaged.includes(true))
  })
  host(name: string): Host {
    return (this.kept.get(name) as Kept).host
  }
  get nodes(): ReadonlyArray<Host> {
    return [...this.kept.values()].map(({ host }) => host).filter(({ name }) => name === leaderName || name.startsWith("broker-"))
  }
  get clients(): ReadonlyArray<Host> {
    const nodes = new Set(this.nodes)
    return [...this.kept.values()].map(({ host }) => host).filter((host) => !nodes.has(host))
  }

  private believes(name: string, believer: Believer): void {
    const kept = this.kept.get(name)
    if (kept !== undefined) kept.believer = believer
  }

  /** Starts what is not running; what a disk holds is noted first. */
  start(name: string): void {
    const kept = this.kept.get(name)
    if (kept === undefined || kept.host.isUp) return
    this.down.delete(name)
    kept.believer = undefined
    if (kept.host.isDiskSettled) this.noteDisk(kept.host)
    kept.host.boot(Effect.suspend(() => kept.program(kept.host.process)))
  }
  startAll(): void {
    for (const name of this.kept.keys()) this.start(name)
  }

  /** Brings back what was killed, after a while, until it is interrupted. */
  readonly watchOver: Effect.Effect<never> = Effect.forever(
    Effect.gen(this, function* () {
      yield* Effect.sleep(100)
      for (const name of [...this.down]) {
        this.down.delete(name)
        yield* Effect.fork(
          Effect.delay(
            Effect.sync(() => this.start(name)),
            this.chance.pick([0, 100, 1000, 5000])
          )
        )
      }
    })
  )

  /** What a node's disk has, for ever: called when nothing runs there. */
  private noteDisk(host: Host): void {
    const { recorder } = this
    if (host.name === leaderName) {
      this.noteJournals(host)
      return
    }
    if (!host.name.startsWith("broker-")) return
    for (const { batches, end, partition, topicId } of logsOnDisk(host.disk)) {
      const at = recorder.next()
      recorder.logs.push({ topic: topicId, partition, since: at, at, source: "disk", batches, end })
    }
  }
  noteJournals(host: Host): void {
    for (const { stream } of folds) {
      const found = streamOnDisk(host.disk, stream)
      if (found !== undefined && found.events.length > 0) this.recorder.journals.push({ at: this.recorder.next(), stream, ...found })
    }
  }

  /** What every running node believes now. */
  noteImages(): void {
    if (this.options.replicated !== undefined) this.replicas.look()
    if (this.options.groupPartitions !== undefined) this.groups.look()
    for (const { believer, host } of this.kept.values()) {
      if (believer === undefined || !host.isUp) continue
      const cluster = believer.cluster()
      for (const { name, topicId } of sortedTopics(cluster)) this.names.set(topicId, name)
      this.noteImage(host, clusterFold.stream, cluster.index, clusterFold.show(cluster))
      for (const { writer } of believer.coordinator?.streams ?? []) {
        const fold = folds.find(({ stream }) => stream === writer.stream)
        if (fold !== undefined) this.noteImage(host, writer.stream, writer.end(), fold.show(writer.state()))
      }
    }
  }
  private noteImage({ process }: Host, stream: string, index: number, shown: string): void {
    this.recorder.images.push({ at: this.recorder.next(), node: process, stream, index, fingerprint: fingerprintOf(shown) })
  }
  believer(name: string): Believer | undefined {
    const kept = this.kept.get(name)
    return kept?.host.isUp === true ? kept.believer : undefined
  }
}
