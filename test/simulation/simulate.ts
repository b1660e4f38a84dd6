import { Cause, Clock, Effect, Exit, Fiber, Logger, LogLevel, Random, type Scope } from "effect"
import type { Transport } from "../../src/ports/transport.ts"
import { CreateTopics } from "../../src/protocol/message/19-create-topics.ts"
import { gappedReadings } from "./checker/compacted.ts"
import { checkGroups } from "./checker/group.ts"
import { checkLog } from "./checker/log.ts"
import { checkMetadata } from "./checker/metadata.ts"
import { checkReplication } from "./checker/replication.ts"
import type { Violation } from "./checker/violation.ts"
import type { History } from "./history.ts"
import { type Mutant, noMutant } from "./mutant/mutant.ts"
import type { Compaction, Options } from "./options.ts"
import { linkTo } from "./workload/link.ts"
import { type Crew, makeCrew, type Signals, type Topics } from "./world/crew.ts"
import { troubling } from "./world/faults.ts"
import { clusterFold, folds } from "./world/folds.ts"
import { handingOver } from "./world/hand-over.ts"
import { leaderAddress, leaderName } from "./world/nodes.ts"
import { missingBrokers, missingReplicas, readAll, unrest } from "./world/rest.ts"
import { World } from "./world/world.ts"

export interface Run {
  readonly options: Options
  readonly history: History
  readonly violations: ReadonlyArray<Violation>
  /** Equal for two runs that did the same in the same order. */
  readonly fingerprint: string
  readonly events: number
  readonly simulatedMs: number
  readonly compactions: { readonly rounds: number; readonly records: number; readonly gapsAfterCrash: number }
  /** The last lines of what happened. */
  readonly lines: ReadonlyArray<string>
}

/** Time that the start may take, and all that comes after the faults. */
const beginMs = 60_000
/** Time after the last fault until every in-sync set is full and every move has ended. */
const wholeMs = 60_000
/** Time between two looks at disks and beliefs. */
const lookMs = 500
type Step<A> = Effect.Effect<A, unknown, Transport | Scope.Scope>

/** Waits until `look` finds nothing left; answers what is left when the time is over. What fails on the way is looked at again. */
const waitFor = (look: Step<string | undefined>, limitMs: number): Effect.Effect<string | undefined, never, Transport> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + limitMs
    for (;;) {
      const left = yield* Effect.catchAll(Effect.scoped(look), (fault) => Effect.succeed(String(fault)))
      if (left === undefined || (yield* Clock.currentTimeMillis) >= until) return left
      yield* Effect.sleep(500)
    }
  })

const configsOf = ({ dirtyRatioMin, segmentBytes }: Compaction) => [
  { name: "cleanup.policy", value: "compact" },
  { name: "segment.bytes", value: `${segmentBytes}` },
  { name: "min.cleanable.dirty.ratio", value: `${dirtyRatioMin}` }
]

/** A topic that is there already is one whose answer the network lost. */
const makeTopics = (world: World, wanted: Topics): Step<undefined> =>
  Effect.gen(function* () {
    const link = yield* linkTo(leaderAddress, "observer")
    const { compacted, partitions } = world.recorder
    for (const [nth, [name, numPartitions]] of wanted.entries()) {
      const { compaction, replicated } = world.options
      const replicationFactor = replicated?.factors[nth] ?? 1
      const isCompacted = compaction?.topic === nth
      const minIsr = replicated === undefined ? [] : [{ name: "min.insync.replicas", value: `${replicated.minIsr}` }]
      const configs = [...(isCompacted ? configsOf(compaction) : []), ...minIsr]
      yield* link.call(CreateTopics, { topics: [{ name, numPartitions, replicationFactor, assignments: [], configs }], timeoutMs: 5000 })
      partitions.set(name, numPartitions)
      if (isCompacted) compacted.add(name)
      if (replicationFactor > 1) world.recorder.replicated.add(name)
    }
  }).pipe(Effect.as(undefined))

const begin = (world: World): Effect.Effect<Topics, unknown, Transport> =>
  Effect.gen(function* () {
    world.startAll()
    const noCrew: Crew = { senders: [], consumerGroups: new Map(), memberGroups: new Map() }
    const late = yield* waitFor(unrest(world, noCrew, []), beginMs)
    if (late !== undefined) return yield* Effect.fail(`The cluster did not start: ${late}`)
    const topics: Topics = world.options.topics.map((partitions, n) => [`topic-${n + 1}`, partitions] as const)
    const unmade = yield* waitFor(makeTopics(world, topics), beginMs)
    if (unmade !== undefined) return yield* Effect.fail(`The topics could not be made: ${unmade}`)
    const notThere = yield* waitFor(unrest(world, noCrew, topics), beginMs)
    return notThere === undefined ? topics : yield* Effect.fail(`The topics did not come: ${notThere}`)
  })

/** A planted mistake was seen: the run may end. */
const isCaught = ({ mutant, recorder }: World): boolean => mutant !== noMutant && recorder.differences.length > 0

/** Changes the setting that hands the groups over, where the options say so. */
const handOver = (world: World): Effect.Effect<void> => {
  const { chance, nodes, options, recorder } = world
  const atMs = options.groupPartitions?.handOverAtMs
  if (atMs === undefined) return Effect.void
  const brokers = nodes.filter(({ name }) => name !== leaderName)
  const changeSetting = () => {
    world.isHandingOver = true
  }
  return handingOver({ chance: chance.fork(), recorder, leader: world.host(leaderName), brokers, atMs, changeSetting })
}

/** Faults, for as long as the options say; then everything is repaired. */
const disturb = (world: World, topics: Topics): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { chance, clients, cuts, network, nodes, options, recorder } = world
    network.conditions = { ...network.conditions, breakChance: options.breakChance }
    const parts = {
      chance: chance.fork(),
      recorder,
      cuts,
      nodes,
      clients,
      drop: (a: string, b: string) => network.drop(a, b),
      everyMs: options.faultEveryMs,
      syncMs: options.syncMs,
      replicas:
        options.replicated === undefined
          ? undefined
          : {
              brokers: nodes.filter(({ name }) => name !== leaderName),
              // A move keeps two.
              replicasMin: Math.min(2, ...options.replicated.factors),
              stalls: options.replicated.stalls,
              scrub: world.scrub,
              missing: () => missingBrokers(world) ?? missingReplicas(world, topics),
              setBreaking: (breaks: boolean) => {
                network.conditions = { ...network.conditions, breakChance: breaks ? options.breakChance : 0 }
              }
            }
    }
    const trouble = yield* Effect.fork(troubling(parts))
    yield* Effect.fork(handOver(world))
    const until = (yield* Clock.currentTimeMillis) + options.faultsMs
    while ((yield* Clock.currentTimeMillis) < until && !isCaught(world)) yield* Effect.sleep(Math.min(lookMs, until - (yield* Clock.currentTimeMillis)))
    yield* Fiber.interrupt(trouble)
    recorder.say("the faults are over")
    network.conditions = { ...network.conditions, breakChance: 0 }
    cuts.heal()
    for (const host of nodes) {
      host.continue()
      host.syncMs = options.syncMs
      host.spare()
    }
  })

const play = (world: World): Effect.Effect<void, unknown, Transport> =>
  Effect.gen(function* () {
    const { options, recorder } = world
    yield* Effect.fork(world.watchOver)
    const topics = yield* begin(world)
    const signals: Signals = { busy: true }
    const crew = makeCrew(world, topics, signals)
    world.startAll()
    yield* Effect.fork(
      Effect.forever(
        Effect.delay(
          Effect.sync(() => world.noteImages()),
          lookMs
        )
      )
    )
    yield* disturb(world, topics)
    if (isCaught(world)) return
    signals.busy = false
    if (options.replicated !== undefined) {
      const thin = yield* waitFor(
        Effect.sync(() => missingReplicas(world, topics)),
        wholeMs
      )
      if (thin !== undefined) recorder.unfinished.push(`${wholeMs} ms after the last fault: ${thin}`)
    }
    // The last reading finds no damage that the background scrub would have found by then.
    if (options.replicated !== undefined && (yield* world.scrub)) yield* Effect.sleep(options.brokerSessionMs)
    const left = yield* waitFor(unrest(world, crew, topics), options.restMs)
    if (left !== undefined) recorder.unfinished.push(`${options.restMs} ms after the last fault: ${left}`)
    recorder.say(left ?? "everything is at rest")
    for (const host of world.nodes) host.isDistrusted = false
    world.noteImages()
    yield* Effect.scoped(readAll(world, crew, topics))
    // Members commit until the end: the streams are read at the same moment.
    if (options.groupPartitions !== undefined) world.groups.look()
    world.host(leaderName).kill("process")
    world.noteJournals(world.host(leaderName))
    if (options.groupPartitions !== undefined) world.groups.finish()
  })

/** Logs on disks go by topic ids; histories by names. What belongs to no topic that is written to is left out. */
const named = (world: World): History => {
  const { names } = world
  const { history } = world.recorder
  const logs = history.logs.flatMap((log) => {
    const topic = log.source === "disk" ? names.get(log.topic) : log.topic
    return topic === undefined || !world.recorder.partitions.has(topic) ? [] : [{ ...log, topic }]
  })
  return { ...history, logs }
}

/** One run: everything in it follows from its options, the mutant and the code. */
export const simulate = async (options: Options, mutant: Mutant = noMutant, linesMax = 200): Promise<Run> => {
  const world = new World(options, mutant, linesMax)
  const main = Effect.scoped(play(world)).pipe(
    Effect.provide(world.network.layer("observer")),
    Effect.withRandom(Random.make(options.seed)),
    Logger.withMinimumLogLevel(LogLevel.None)
  )
  const undo = mutant.plant?.()
  const exit = await world.clock.run(Effect.exit(main), options.faultsMs + options.restMs + 4 * beginMs).catch((stuck: unknown) => Exit.die(stuck))
  undo?.()
  if (Exit.isFailure(exit)) world.recorder.unfinished.push(`The run did not come to its end: ${Cause.pretty(exit.cause)}`)
  const history = named(world)
  return {
    options,
    history,
    violations: isCaught(world) ? history.differences : check(history),
    fingerprint: world.recorder.fingerprint,
    events: world.recorder.lineCount,
    compactions: { ...world.recorder.compactions, gapsAfterCrash: gappedReadings(history).filter(({ source }) => source === "disk").length },
    simulatedMs: world.clock.unsafeCurrentTimeMillis(),
    lines: world.recorder.lines
  }
}

/** Every invariant that a run can break. "rest" means liveness, and for nodes that end by themselves. */
const check = (history: History): ReadonlyArray<Violation> => [
  ...checkLog(history),
  ...checkMetadata(history, clusterFold.stream, folds),
  ...checkGroups(history),
  ...(history.replicated.size === 0 ? [] : checkReplication(history, clusterFold)),
  ...history.unfinished.map((message) => ({ invariant: "rest", message }))
]
