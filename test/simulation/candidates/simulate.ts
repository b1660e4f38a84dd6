import { Cause, Clock, Effect, Exit, Fiber, Logger, LogLevel, Random, type Scope } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Transport } from "../../../src/ports/transport.ts"
import { DescribeGroups } from "../../../src/protocol/message/15-describe-groups.ts"
import { checkGroups } from "../checker/group.ts"
import { checkMetadata } from "../checker/metadata.ts"
import type { Violation } from "../checker/violation.ts"
import type { TopicPartition } from "../history.ts"
import { readOffset } from "../workload/auditor.ts"
import { linkTo } from "../workload/link.ts"
import { beingMember } from "../workload/member.ts"
import { clusterFold } from "../world/folds.ts"
import { troubling } from "./faults.ts"
import { beingBroker, decided, type LoadWork, makingTopics, readingOffsets } from "./loads.ts"
import { type CandidateMutant, noCandidateMutant } from "./mutants.ts"
import type { CandidateOptions } from "./options.ts"
import { candidateAddress } from "./program.ts"
import type { Reached } from "./reached.ts"
import { answersOfLeaders } from "./reigns.ts"
import { CandidatesRun } from "./world.ts"

export interface CandidateRun {
  readonly violations: ReadonlyArray<Violation>
  /** Equal for two runs that did the same in the same order. */
  readonly fingerprint: string
  readonly simulatedMs: number
  readonly faults: number
  /** How often the leader changed. */
  readonly reigns: number
  /** Events of the cluster and of groups. */
  readonly events: number
  /** Commands, commits and heartbeats that were answered. */
  readonly answers: number
  readonly reached: Reached
  /** The last lines of what happened. */
  readonly lines: ReadonlyArray<string>
}

type Step<A> = Effect.Effect<A, unknown, Transport | Scope.Scope>

const beginMs = 60_000
const imagesEveryMs = 150
const topic = "topic-1"
const group = "members-1"

/** What a process says as a consequence of the faults: it lost the lead, or the store was full. None ends by itself. */
const expected = /says ERROR: .*(another leader holds epoch|the lease of this leader is over|does not take writes)/

/** Waits until `look` finds nothing left; answers what is left when the time is over. */
const waitFor = (look: Step<string | undefined>, limitMs: number): Effect.Effect<string | undefined, never, Transport> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + limitMs
    for (;;) {
      const left = yield* Effect.catchAll(Effect.scoped(look), (fault) => Effect.succeed(String(fault)))
      if (left === undefined || (yield* Clock.currentTimeMillis) >= until) return left
      yield* Effect.sleep(300)
    }
  })

const addresses = ({ candidates }: CandidateOptions) => Array.from({ length: candidates }, (_, nth) => candidateAddress(nth + 1))
const placesOf = ({ partitions }: CandidateOptions): ReadonlyArray<TopicPartition> =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))

const workOf = (run: CandidatesRun, process: string, isBusy: () => boolean): LoadWork => ({
  process,
  recorder: run.recorder,
  reached: run.reached,
  chance: run.chance.fork(),
  candidates: addresses(run.options),
  processAt: ({ host }) => run.processAt(host),
  number: run.number,
  goesOn: isBusy
})

/** Puts the clients on machines of their own. */
const hire = (run: CandidatesRun, isBusy: () => boolean): void => {
  const { options, recorder } = run
  for (let id = 1; id <= options.brokers; id++)
    run.add(`broker-${id}`, (host) => beingBroker({ ...workOf(run, host.process, isBusy), id, ask: run.ask, beat: run.beat, read: run.read }))
  run.add("admin", (host) => makingTopics(workOf(run, host.process, isBusy)))
  for (let nth = 1; nth <= options.members; nth++)
    run.add(`member-${nth}`, (host) =>
      beingMember({
        process: host.process,
        group,
        recorder,
        chance: run.chance.fork(),
        nodes: addresses(options),
        topics: [[topic, options.partitions]],
        sessionTimeoutMs: options.groupSessionMs,
        number: run.number,
        mayLeave: isBusy
      })
    )
  run.add("auditor", (host) => readingOffsets(workOf(run, host.process, isBusy), group, placesOf(options)))
}

/** What is not as it should be; undefined when everything is. */
const unrest = (run: CandidatesRun): Step<string | undefined> =>
  Effect.gen(function* () {
    const { leading, options, watch } = run
    if (leading === undefined) return "no candidate leads"
    const head = watch.headOf(clusterFold.stream)
    for (const { isUp, name } of run.candidates) {
      const role = run.runningOn(name)?.role
      if (!isUp || role === undefined) return `${name} does not run`
      if (role.isLeading && name !== leading.name) return `${name} and ${leading.name} lead`
      if (role.cluster().index < head) return `${name} has ${role.cluster().index} of ${head} events`
    }
    const link = yield* linkTo({ host: leading.name, port: 9092 }, "observer")
    const { groups } = yield* link.call(DescribeGroups, { groups: [group] }, { version: 5 })
    const found = groups[0]
    if (found === undefined || kafkaError(found.errorCode) !== "NONE" || found.groupState !== "Stable" || found.members.length !== options.members)
      return `${group} is ${found?.groupState} with ${found?.members.length} members: ${kafkaError(found?.errorCode ?? -1)}`
    return undefined
  })

/** What the group has committed, as the leader tells it. */
const lastReading = ({ leading, options, recorder }: CandidatesRun): Step<void> =>
  leading === undefined
    ? Effect.fail("no candidate leads")
    : Effect.flatMap(linkTo({ host: leading.name, port: 9092 }, "observer"), (link) =>
        Effect.forEach(placesOf(options), (place) => readOffset({ process: "observer", recorder }, link, group, place), { discard: true })
      )

const unexpected = ({ recorder }: CandidatesRun): ReadonlyArray<string> => recorder.unfinished.filter((line) => !expected.test(line))

const calm = (run: CandidatesRun): void => {
  const { cuts, etcd, network, recorder } = run
  recorder.say("the faults are over")
  network.conditions = { ...network.conditions, breakChance: 0 }
  cuts.heal()
  etcd.hasQuorum = true
  etcd.isFull = false
  etcd.isHanging = false
  run.setEtcdMs(undefined)
  for (const host of run.candidates) {
    etcd.resume(host.process)
    host.continue()
  }
}

const play = (run: CandidatesRun): Effect.Effect<void, unknown, Transport> =>
  Effect.gen(function* () {
    const { options, recorder } = run
    let busy = true
    yield* Effect.fork(run.watchOver)
    hire(run, () => busy)
    run.startAll()
    const images = Effect.sync(() => run.noteImages())
    yield* Effect.fork(Effect.forever(Effect.delay(images, imagesEveryMs)))
    const founder = workOf(run, "founder", () => true)
    const made = yield* waitFor(
      Effect.map(decided(founder, { action: "add", topic }, options.partitions), (outcome) => (outcome._tag === "ok" ? undefined : outcome.error)),
      beginMs
    )
    if (made !== undefined) return yield* Effect.fail(`The topic could not be made: ${made}`)
    recorder.partitions.set(topic, options.partitions)
    const trouble = yield* Effect.fork(troubling(run))
    yield* Effect.sleep(options.faultsMs)
    yield* Fiber.interrupt(trouble)
    calm(run)
    busy = false
    // A run that is broken already shows nothing more at rest.
    if (recorder.differences.length + unexpected(run).length > 0) return
    // A leader that was told to stop before the faults ended may end now: then another one is asked.
    const left = yield* waitFor(
      Effect.tap(unrest(run), (found) => (found === undefined ? lastReading(run) : Effect.void)),
      options.restMs
    )
    if (left !== undefined) recorder.unfinished.push(`${options.restMs} ms after the last fault: ${left}`)
    run.noteImages()
  }).pipe(Effect.scoped)

const check = (run: CandidatesRun): ReadonlyArray<Violation> => {
  const { recorder, watch } = run
  for (const reading of watch.readings) recorder.journals.push({ at: recorder.next(), ...reading })
  const { history } = recorder
  const reigns = watch.reigns.map((reign) => ({ ...reign, untilMs: watch.untilMs(reign) }))
  return [
    ...history.differences,
    ...answersOfLeaders(run.beats, reigns),
    ...checkMetadata(history, clusterFold.stream, run.folds),
    ...checkGroups(history),
    ...unexpected(run).map((message) => ({ invariant: "rest", message }))
  ]
}

/** One run: everything in it follows from its options, the mutant and the code. */
export const simulateCandidates = async (options: CandidateOptions, mutant: CandidateMutant = noCandidateMutant, linesMax = 0): Promise<CandidateRun> => {
  const run = new CandidatesRun(options, mutant, linesMax)
  const main = play(run).pipe(
    Effect.provide(run.network.layer("observer")),
    Effect.withRandom(Random.make(options.seed)),
    Logger.withMinimumLogLevel(LogLevel.None)
  )
  const exit = await run.clock.run(Effect.exit(main), options.faultsMs + options.restMs + 3 * beginMs).catch((stuck: unknown) => Exit.die(stuck))
  if (Exit.isFailure(exit)) run.recorder.unfinished.push(`The run did not come to its end: ${Cause.pretty(exit.cause)}`)
  const violations = check(run)
  const { history } = run.recorder
  return {
    violations,
    fingerprint: run.recorder.fingerprint,
    simulatedMs: run.clock.unsafeCurrentTimeMillis(),
    faults: run.faults,
    reigns: run.watch.reigns.length,
    events: run.watch.readings.reduce((sum, { events }) => sum + events.length, 0),
    answers: run.beats.length + [...history.topics, ...history.commits].filter(({ outcome }) => outcome._tag === "ok").length,
    reached: run.reached,
    lines: run.recorder.lines
  }
}
