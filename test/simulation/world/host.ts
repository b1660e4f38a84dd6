import { Cause, Effect, Exit, Fiber, Layer, Logger, LogLevel, Random, type Scope } from "effect"
import { layerTypescript as layerChecksum } from "../../../adapters/checksum/checksum.ts"
import type { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as layerCompression } from "../../../adapters/compression/compression.ts"
import { layer as layerMemoryLog } from "../../../adapters/log/memory/layer.ts"
import type { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import type { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { fieldAt, headerSize, lengthOverhead } from "../../../domain/log/batch.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import type { Compression } from "../../../src/ports/compression.ts"
import { LogStore } from "../../../src/ports/log-store.ts"
import { Transport } from "../../../src/ports/transport.ts"
import type { Chance } from "../chance.ts"
import type { Recorder } from "../recorder.ts"
import { HostClock } from "./host-clock.ts"
import { type Life, mortalTransport } from "./mortal-transport.ts"

/** What all hosts of a run share. */
export interface Surroundings {
  readonly clock: VirtualClock
  readonly network: MemoryNetwork
  readonly recorder: Recorder
  readonly connectionId: () => number
  /** Where every store of a node passes by on its way to the node: a mutant may change it. */
  readonly store: (store: LogStore["Type"], host: string) => LogStore["Type"]
  readonly disk: (host: string) => MemoryDisk
}

export type Platform = Transport | Checksum | Compression
export type Program = Effect.Effect<unknown, unknown, Platform | LogStore | Scope.Scope>

/** Small caches, so that reads go to the disk too. */
const dataRoot = "/data"
const logForm = /^[A-Za-z0-9_-]{22}-\d+$/
const bounds = { tailBytesMaxPerLog: 4096, tailBytesMax: 65_536, indexBytesMax: 65_536, openFilesMax: 4 }
const shown = (message: unknown): string => (Array.isArray(message) ? message.join(" ") : String(message))

const compactedForm = /says DEBUG: Compacted .*: (\d+) of (\d+) records stay/
/** Brokers say what each round of compaction did. */
const countCompaction = (line: string, { compactions }: Recorder): void => {
  const [, kept, read] = compactedForm.exec(line) ?? []
  if (kept === read) return
  compactions.rounds++
  compactions.records += Number(read) - Number(kept)
}

/** A machine of the run: a name on the network, a disk, and at most one process at a time. */
export class Host {
  disk: MemoryDisk
  private readonly clock: HostClock
  /** How long a sync takes, ms: drawn for each. */
  syncMs: readonly [least: number, most: number] = [0, 2]
  private life: Life = { isOver: true }
  private fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Whether this process has a reason to end by itself. */
  private mayEnd = false
  /** Whether what the disk gives now is what it has for ever: after a kill, and not after a process that ended by itself over files that may not be synced. */
  isDiskSettled = false
  /** Whether its disk said of syncs that they succeeded, and they did not. */
  lies = false
  /** Whether its disk was replaced or damaged, and the cluster may not know it yet. */
  isDistrusted = false
  /** Counts the processes that ran here. */
  incarnation = 0
  /** The open connections of the process, and what waits in those that stall. */
  private readonly connections = new Set<number>()
  private readonly stalled = new Map<number, Array<() => void>>()

  constructor(
    readonly name: string,
    private readonly around: Surroundings,
    private readonly chance: Chance,
    /** Called when a process has ended before its work was done. */
    private readonly died: (name: string) => void
  ) {
    this.disk = this.newDisk()
    this.clock = new HostClock(around.clock)
  }
  private newDisk(): MemoryDisk {
    const disk = this.around.disk(this.name)
    Object.defineProperty(disk, "syncDelayMs", { get: () => this.chance.between(...this.syncMs) })
    return disk
  }

  get isUp(): boolean {
    return !this.life.isOver
  }
  get process(): string {
    return `${this.name}.${this.incarnation}`
  }

  /** Starts a process; it runs until it is killed, or ends by itself. An end that is a failure is noted as one of the run. */
  boot(program: Program): void {
    const { clock, recorder } = this.around
    const life: Life = { isOver: false }
    this.life = life
    this.incarnation++
    this.isDiskSettled = false
    this.connections.clear()
    this.stalled.clear()
    const name = this.process
    recorder.say(`${name} starts`)
    const scoped = Effect.scoped(program).pipe(
      Effect.provide(this.platform(life, name)),
      Effect.withRandom(Random.make(this.chance.below(0x7fff_ffff))),
      Effect.provide(this.logger(life, name)),
      Logger.withMinimumLogLevel(LogLevel.Debug)
    )
    const fiber = clock.fork(Effect.withClock(scoped, this.clock))
    this.fiber = fiber
    fiber.addObserver((exit) => {
      if (life.isOver) return
      life.isOver = true
      this.around.network.crash(this.name)
      recorder.say(`${name} ends: ${exit._tag}`)
      if (Exit.isSuccess(exit)) return
      this.died(this.name)
      if (!this.mayEnd && !Cause.isInterruptedOnly(exit.cause)) recorder.unfinished.push(`${name} ended by itself: ${Cause.pretty(exit.cause)}`)
    })
  }

  /**
   * The process ends, and with it its connections. "power": what was not synced may be lost. "process": the files stay as they were written, as after `kill -9`.
   */
  kill(loss: "power" | "process"): void {
    if (this.life.isOver) return
    this.end(`${this.process} is killed, ${loss}`)
    this.disk.crash(loss === "power" ? this.chance.below : (bound) => bound - 1)
  }

  /** The power goes in the middle of a change of the disk, the `changes`th from now on. */
  killAt(changes: number): void {
    this.disk.crashAfter(changes, (bound) => {
      this.end(`${this.process} is killed in the middle of a write`)
      return this.chance.below(bound)
    })
  }

  /** The next sync of a file fails, and the process may end for that. */
  failSync(): void {
    this.mayEnd = true
    this.disk.failSyncs(1)
  }
  /** The disk is well again. What it did not make durable must be lost first: the process on it is killed. */
  mendDisk(): void {
    this.kill("power")
    this.mayEnd = false
    this.disk.failSyncs(0)
  }

  /** SIGSTOP: connections stay open, and nothing happens on the machine until `continue`. */
  pause(): void {
    this.around.recorder.say(`${this.process} is paused`)
    this.clock.stop()
  }
  /** SIGCONT. */
  continue(): void {
    if (!this.clock.isStopped) return
    this.around.recorder.say(`${this.process} continues`)
    this.clock.continue()
  }

  /**
   * Holds what one of its connections delivers, in its order; the others continue: packets of that one are lost, and sent again later. Returns a function that delivers it; undefined
   * where no connection is open.
   */
  stall(): (() => void) | undefined {
    const ids = [...this.connections].filter((id) => !this.stalled.has(id))
    if (ids.length === 0) return undefined
    const id = this.chance.pick(ids)
    const held: Array<() => void> = []
    this.stalled.set(id, held)
    this.around.recorder.say(`connection #${id} of ${this.process} stalls`)
    return () => {
      if (this.stalled.get(id) !== held) return
      this.stalled.delete(id)
      for (const task of held) this.clock.whenRunning(task)
    }
  }

  /** The disk is replaced by an empty one; the process is killed. */
  wipe(): void {
    this.kill("power")
    this.around.recorder.say(`the disk of ${this.name} is replaced by an empty one`)
    this.isDistrusted = true
    this.disk = this.newDisk()
  }
  /** Changes a byte of a record in some partition's log, durably. Returns where; undefined where no log has a record. */
  damage(): string | undefined {
    const logs = this.disk
      .session()
      .list(dataRoot)
      .filter((name) => logForm.test(name))
      .sort()
    const files = logs.flatMap((log) =>
      [...this.disk.filesIn(`${dataRoot}/${log}`, "current")]
        .filter(([name, bytes]) => name.endsWith(".log") && bytes.length > headerSize)
        .map(([name]) => `${dataRoot}/${log}/${name}`)
    )
    if (files.length === 0) return undefined
    const path = this.chance.pick(files.sort())
    const bytes = this.disk.contents(path)
    const size = lengthOverhead + new DataView(bytes.buffer).getInt32(fieldAt.batchLength)
    const at = this.chance.between(fieldAt.records, Math.min(size, bytes.length) - 1)
    bytes[at] = (bytes[at] as number) ^ 0xff
    this.disk.overwrite(path, bytes)
    this.isDistrusted = true
    return path
  }
  /** Syncs succeed and do nothing, until the power goes. */
  lie(): void {
    this.around.recorder.say(`the disk of ${this.name} lies about its syncs`)
    this.lies = true
    this.disk.syncsLie = true
  }
  /** The power goes, and with it what was not synced, whatever the disk said. */
  exposeLie(): void {
    this.isDistrusted = true
    this.kill("power")
    this.lies = false
    this.disk.syncsLie = false
  }

  /** No power cut and no failing sync waits for its moment any more. */
  spare(): void {
    if (this.mayEnd) this.mendDisk()
    this.disk.crashAfter(Number.POSITIVE_INFINITY, () => 0)
  }

  private end(line: string): void {
    if (this.life.isOver) return
    this.around.recorder.say(line)
    this.life.isOver = true
    this.isDiskSettled = true
    this.around.network.crash(this.name)
    this.fiber?.unsafeInterruptAsFork(this.fiber.id())
    // A process that is stopped ends too.
    this.clock.continue()
    this.died(this.name)
  }

  /** Asks the process to shut down cleanly, and waits for its end. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    const { fiber, life } = this
    if (life.isOver || fiber === undefined) return Effect.void
    this.around.recorder.say(`${this.process} is stopped`)
    // A process that is stopped by SIGSTOP gets the signal when it continues.
    return Effect.asVoid(Effect.zipRight(this.clock.running, Fiber.interrupt(fiber)))
  })

  private platform(life: Life, name: string): Layer.Layer<Platform | LogStore> {
    const { network, recorder, connectionId, store } = this.around
    const watch = {
      connectionId,
      opened: (id: number) => void (life.isOver || this.connections.add(id)),
      closed: (id: number) => void this.connections.delete(id),
      deliver: (id: number, task: () => void) => {
        const held = this.stalled.get(id)
        if (held === undefined) this.clock.whenRunning(task)
        else held.push(task)
      },
      say: (line: string) => recorder.say(`${name} ${line}`)
    }
    const transport = Layer.effect(
      Transport,
      Effect.map(Transport, (plain) => mortalTransport(plain, life, watch))
    ).pipe(Layer.provide(network.layer(this.name)))
    const logs = Layer.effect(
      LogStore,
      Effect.map(LogStore, (real) => store(real, this.name))
    ).pipe(Layer.provide(layerMemoryLog(this.disk, bounds)), Layer.provide(layerChecksum))
    return Layer.orDie(Layer.provideMerge(logs, Layer.mergeAll(transport, layerChecksum, layerCompression)))
  }

  private logger(life: Life, name: string): Layer.Layer<never> {
    const { recorder } = this.around
    const own = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
      if (life.isOver) return
      const text = `${name} says ${logLevel.label}: ${shown(message)}${Cause.isEmpty(cause) ? "" : ` ${Cause.pretty(cause)}`}`
      recorder.say(text)
      countCompaction(text, recorder)
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Error) && !this.mayEnd) recorder.unfinished.push(text)
    })
    return Logger.replace(Logger.defaultLogger, own)
  }
}
