import { Effect } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { SimulatedEtcd } from "../../../adapters/journal/etcd/simulated.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaults } from "../../../domain/group/limits.ts"
import { groupStreamName, groupsAggregate } from "../../../src/groups/groups-aggregate.ts"
import type { StoredEntry } from "../../../src/ports/journal.ts"
import { Chance } from "../chance.ts"
import { type Fold, foldOf } from "../checker/metadata.ts"
import { fingerprintOf } from "../fingerprint.ts"
import { Recorder } from "../recorder.ts"
import { Cuts } from "../world/cuts.ts"
import { clusterFold } from "../world/folds.ts"
import { Host, type Program, type Surroundings } from "../world/host.ts"
import { HostClock } from "../world/host-clock.ts"
import { etcdClientOf } from "./etcd-process.ts"
import { JournalWatch } from "./journal-watch.ts"
import type { CandidateMutant } from "./mutants.ts"
import type { CandidateOptions } from "./options.ts"
import { candidateName, candidateProgram, prefix, type RunningCandidate } from "./program.ts"
import { Reached } from "./reached.ts"
import type { Beat } from "./reigns.ts"

interface Kept {
  readonly host: Host
  readonly program: () => Program
  readonly running: RunningCandidate
}

const restartMs = [0, 100, 1000, 4000]

/** The machines of a run, etcd, the network between them, and what watches over them. */
export class CandidatesRun {
  readonly clock = new VirtualClock(0)
  readonly network: MemoryNetwork
  readonly cuts: Cuts
  readonly etcd = new SimulatedEtcd()
  readonly recorder: Recorder
  readonly chance: Chance
  readonly reached = new Reached()
  readonly watch: JournalWatch
  readonly folds: ReadonlyArray<Fold>
  readonly beats: Array<Beat> = []
  faults = 0
  private readonly kept = new Map<string, Kept>()
  private readonly down = new Set<string>()
  private numbers = 0
  private connections = 0
  private etcdMs: readonly [number, number]

  constructor(
    readonly options: CandidateOptions,
    readonly mutant: CandidateMutant,
    linesMax: number
  ) {
    const now = () => this.clock.unsafeCurrentTimeMillis()
    this.chance = new Chance(options.seed)
    this.recorder = new Recorder(now, linesMax)
    this.network = new MemoryNetwork({ delayMs: options.delayMs, breakChance: options.breakChance, segmentBytes: [1, 4000] })
    this.cuts = new Cuts(this.network)
    this.etcdMs = options.etcdMs
    const delays = this.chance.fork()
    this.etcd.delayMs = () => delays.between(...this.etcdMs)
    const groups = Array.from({ length: options.groupStreams }, (_, nth) => foldOf({ stream: groupStreamName(nth), ...groupsAggregate(defaults) }))
    this.folds = [clusterFold, ...groups]
    const streams = this.folds.map(({ stream }) => stream)
    this.watch = new JournalWatch({ etcd: this.etcd, prefix, streams, reached: this.reached, now, differs: (found) => this.recorder.differs(found) })
    for (let nth = 1; nth <= options.candidates; nth++) this.addCandidate(nth)
  }

  readonly number = (): number => ++this.numbers
  /** Undefined: as the seed has it. */
  readonly setEtcdMs = (range: readonly [number, number] | undefined): void => {
    this.etcdMs = range ?? this.options.etcdMs
  }

  private addCandidate(nth: number): void {
    const running: RunningCandidate = { role: undefined, leader: undefined }
    const { mutant, options } = this
    this.add(
      candidateName(nth),
      (host) => {
        running.role = undefined
        running.leader = undefined
        return candidateProgram(nth, options, mutant, this.etcdClient(host), running)
      },
      running
    )
  }
  /** The etcd client of the process that runs on the host now. */
  private etcdClient(host: Host) {
    return Effect.map(Effect.clock, (clock) => {
      const { incarnation, process } = host
      return etcdClientOf(this.etcd.client(process), {
        clock: this.clock,
        isOver: () => !host.isUp || host.incarnation !== incarnation,
        running: clock instanceof HostClock ? clock.running : Effect.void,
        leased: (lease, sentAtMs) => this.watch.leased(lease, sentAtMs + this.options.leaseMs)
      })
    })
  }

  /** A machine with a program that is started anew whenever it was killed. It is not started yet. */
  add(name: string, program: (host: Host) => Program, running: RunningCandidate = { role: undefined, leader: undefined }): Host {
    const around: Surroundings = {
      clock: this.clock,
      network: this.network,
      recorder: this.recorder,
      connectionId: () => ++this.connections,
      store: (store) => store,
      disk: () => new MemoryDisk()
    }
    const host = new Host(name, around, this.chance.fork(), (died) => this.down.add(died))
    this.kept.set(name, { host, running, program: () => program(host) })
    return host
  }
  get hosts(): ReadonlyArray<Host> {
    return [...this.kept.values()].map(({ host }) => host)
  }
  get candidates(): ReadonlyArray<Host> {
    return this.hosts.slice(0, this.options.candidates)
  }
  /** The process that runs on a host. */
  processAt(name: string): string {
    return this.kept.get(name)?.host.process ?? ""
  }
  /** The candidate that takes itself for the leader. */
  get leading(): Host | undefined {
    return this.candidates.find(({ isUp, name }) => isUp && this.runningOn(name)?.role?.isLeading === true)
  }
  runningOn(name: string): RunningCandidate | undefined {
    return this.kept.get(name)?.running
  }

  start(name: string): void {
    const kept = this.kept.get(name)
    if (kept === undefined || kept.host.isUp) return
    this.down.delete(name)
    kept.host.boot(Effect.suspend(kept.program))
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
        const start = Effect.sync(() => this.start(name))
        yield* Effect.fork(Effect.delay(start, this.chance.pick(restartMs)))
      }
    })
  )

  /** What every running candidate believes now. M1: no fold is ahead of what etcd has. */
  noteImages(): void {
    for (const { host, running } of this.kept.values()) {
      const { leader, role } = running
      if (!host.isUp || role === undefined) continue
      const cluster = role.cluster()
      this.noteImage(host, clusterFold, cluster.index, cluster)
      if (!role.isLeading && cluster.index < this.watch.headOf(clusterFold.stream)) this.reached.hit("a standby was behind the head")
      for (const { writer } of leader?.coordinator.streams ?? []) {
        const fold = this.folds.find(({ stream }) => stream === writer.stream)
        if (fold !== undefined) this.noteImage(host, fold, writer.end(), writer.state())
      }
    }
  }
  private noteImage({ process }: Host, { show, stream }: Fold, index: number, state: unknown): void {
    const head = this.watch.headOf(stream)
    if (index > head) this.recorder.differs([{ invariant: "M1", message: `${process} has folded ${index} events of ${stream}, and etcd has ${head}` }])
    this.recorder.images.push({ at: this.recorder.next(), node: process, stream, index, fingerprint: fingerprintOf(show(state)) })
  }

  /** M1: what a broker reads is what etcd has. */
  readonly read = (reader: string, entries: ReadonlyArray<StoredEntry>): void => {
    const [truth] = this.watch.readings
    for (const { commandId, index, type } of entries) {
      const there = truth?.events[index]
      if (there === undefined || there.commandId !== commandId || there.type !== type)
        this.recorder.differs([
          { invariant: "M1", message: `${reader} has read ${type} of ${commandId} at ${index}, and etcd has ${there?.type ?? "nothing"} there` }
        ])
    }
  }
  /** A broker asks a process now. */
  readonly ask = (process: string): void => {
    const reign = this.watch.reigns.findLast((each) => each.process === process)
    const isOver = reign !== undefined && this.watch.untilMs(reign) < this.clock.unsafeCurrentTimeMillis()
    const name = process.split(".")[0] ?? ""
    if (isOver && this.runningOn(name)?.role?.isLeading === true) this.reached.hit("a leader that was stopped was asked behind its lease")
  }
  readonly beat = (beat: Beat): void => void this.beats.push(beat)
}
