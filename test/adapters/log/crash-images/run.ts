import { Effect, Logger, LogLevel } from "effect"
import { Chance } from "../../../simulation/chance.ts"
import { checksum } from "../../../src/ports/log-batches.ts"
import { recover } from "./check.ts"
import { type Choices, EveryChoice, someChoices } from "./choices.ts"
import { imageOf } from "./images.ts"
import { TraceDisk } from "./trace-disk.ts"
import { type Tree, treeHash } from "./tree.ts"
import { type Workload, workloads } from "./workloads.ts"
import { realSystem, type System, Witness } from "./world.ts"

/** Builds all images of a crash point up to this number; where there are more, draws this many. */
const imagesPerPointMax = 24
/** One of this many images loses power again during recovery. */
const cutsAgainEvery = 4

export interface Failure {
  readonly workload: string
  readonly seed: number
  /** After how many changes of the disk the power was cut, and how many there were. */
  readonly at: number
  readonly problem: string
}
interface Report {
  /** Images that were opened; no two of one workload's run are alike. */
  images: number
  /** Of them, how many were built after a second cut, in the middle of recovery. */
  again: number
  runs: number
  readonly failures: Array<Failure>
  readonly byWorkload: Map<string, number>
}

interface RunOptions {
  /** Images to open, at least. */
  readonly count: number
  readonly seed: number
  readonly system?: System
  readonly only?: ReadonlyArray<string>
  /** Ends the run after this many failures. */
  readonly failuresMax?: number
}

const inQuiet = <A>(effect: Effect.Effect<A>): Promise<A> => Effect.runPromise(Logger.withMinimumLogLevel(effect, LogLevel.None))

/** Runs a workload to its end, or to the fault that is part of it, and returns what was acknowledged to it. */
export const witnessOf = async (workload: Workload, system: System, seed: number): Promise<Witness> => {
  const chance = new Chance(seed)
  const trace = new TraceDisk()
  const turns = chance.fork()
  trace.syncTurns = () => turns.below(4)
  const witness = new Witness(system, trace, chance.fork())
  await inQuiet(Effect.ignoreLogged(Effect.scoped(workload.run(witness))).pipe(Effect.provide(checksum)))
  trace.failSync = undefined
  return witness
}

/** The images of a crash point, without those that were already built. */
function* imagesAt(witness: Witness, at: number, chance: Chance, seen: Set<bigint>): Generator<Tree> {
  const isNew = (choices: Choices): Tree | undefined => {
    const image = imageOf(witness.trace, at, choices)
    const hash = treeHash(image)
    if (seen.has(hash)) return undefined
    seen.add(hash)
    return image
  }
  const every = new EveryChoice()
  const all: Array<Tree> = []
  for (let tries = 0; tries < imagesPerPointMax; tries++) {
    const image = isNew(every)
    if (image !== undefined) all.push(image)
    if (every.advance()) continue
    yield* all
    return
  }
  // Too many to build all: consecutive images differ little, so a few of them represent the rest.
  yield* all.slice(0, 4)
  for (let tries = 0; tries < imagesPerPointMax; tries++) {
    const image = isNew({ of: someChoices(chance).of })
    if (image !== undefined) yield image
  }
}

class Runner {
  readonly report: Report = { images: 0, again: 0, runs: 0, failures: [], byWorkload: new Map() }

  constructor(private readonly options: RunOptions) {}

  get isDone(): boolean {
    return this.report.images >= this.options.count || this.report.failures.length >= (this.options.failuresMax ?? 20)
  }

  async run(workload: Workload, seed: number): Promise<void> {
    const witness = await witnessOf(workload, this.options.system ?? realSystem, seed)
    const chance = new Chance(seed ^ 0x5bd1e995)
    const seen = new Set<bigint>()
    this.report.runs++
    for (const problem of witness.problems) this.report.failures.push({ workload: workload.name, seed, at: witness.now, problem })
    const { pointsEvery = 1 } = workload
    for (let at = seed % pointsEvery; at <= witness.now && !this.isDone; at += pointsEvery)
      for (const image of imagesAt(witness, at, chance, seen)) {
        const problem = await this.open(witness, image, at, chance)
        this.report.images++
        this.report.byWorkload.set(workload.name, (this.report.byWorkload.get(workload.name) ?? 0) + 1)
        if (problem !== undefined) this.report.failures.push({ workload: workload.name, seed, at, problem })
        if (this.isDone) return
      }
  }

  private async open(witness: Witness, image: Tree, at: number, chance: Chance): Promise<string | undefined> {
    const first = await inQuiet(Effect.provide(recover(image, witness, at), checksum))
    if (first.problems.length > 0) return first.problems[0]
    if (chance.below(cutsAgainEvery) > 0) return undefined
    const later = chance.below(first.trace.ops.length + 1)
    const second = await inQuiet(Effect.provide(recover(imageOf(first.trace, later, someChoices(chance)), witness, at), checksum))
    this.report.images++
    this.report.again++
    if (second.problems.length > 0) return `after a second cut, at ${later} of recovery: ${second.problems[0]}`
    const { epoch } = first
    if (epoch !== undefined && epoch.at <= later && (second.epoch?.epoch ?? 0) <= epoch.epoch) return `after a second cut: epoch ${epoch.epoch} is given again`
    return second.found === first.found ? undefined : `recovery differs after a second cut, at ${later}: ${first.found}, then ${second.found}`
  }
}

/** Runs the workloads in turn, seed by seed, until enough images were opened. The same options open the same images. */
export const runCrashImages = async (options: RunOptions): Promise<Report> => {
  const runner = new Runner(options)
  const chosen = workloads.filter(({ name }) => options.only === undefined || options.only.includes(name))
  for (let round = 0; !runner.isDone; round++) for (const workload of chosen) if (!runner.isDone) await runner.run(workload, options.seed + round)
  return runner.report
}
