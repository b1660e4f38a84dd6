import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Chance } from "../../../test/simulation/chance.ts"
import { Client } from "../clients.ts"
import { programOf } from "../nodes.ts"
import { Observed } from "../observed.ts"
import { Acknowledgements } from "../pauses.ts"
import { NotInTime, until, untilAcknowledged, untilWhole } from "../site.ts"
import { createTopic, topicIdOf } from "../topic-state.ts"
import { comeToRest, judge } from "../verdict.ts"
import { CandidateCluster } from "./cluster.ts"
import { candidateFaults } from "./faults.ts"
import { groupPartitions, groupTopic, TorturedGroup } from "./group.ts"
import { journalEntries, judgeJournal } from "./journal.ts"
import { LeaderAnswers } from "./leader-answers.ts"
import type { CandidateFaultName, CandidatesOptions } from "./options.ts"
import { type CandidateEvent, type CandidatesReport, measured, shownEvent } from "./report.ts"
import { creating, TopicMaker } from "./topics.ts"

const topic = "tortured"
const partitions = 3
const [replicas, minInSync] = [3, 2]
/** The pause after a fault, so that the next one meets a cluster at work, ms. */
const restMs = 1000
/** How long a stopped leader stays stopped after its successor has won, ms. */
const stoppedMs = 1500

interface Tortured {
  readonly report: CandidatesReport
  readonly directory: string
  readonly cluster: CandidateCluster
  readonly notes: ReadonlyArray<string>
}

/** The faults in an order that the seed determines: each once, then each once again. */
function* order(names: ReadonlyArray<CandidateFaultName>, chance: Chance): Generator<CandidateFaultName> {
  for (;;) {
    const left = [...names]
    while (left.length > 0) yield* left.splice(chance.below(left.length), 1)
  }
}

const created = async (cluster: CandidateCluster, name: string, count: number): Promise<string> => {
  let topicId: string | undefined
  // The response to an attempt may be lost: the topic is there then.
  await until(`the topic ${name} is created`, async () => {
    topicId = await createTopic(cluster.leaderPort, name, count, replicas, minInSync).catch(() => topicIdOf(cluster.leaderPort, name))
    return topicId !== undefined
  })
  return topicId ?? ""
}

/** The cluster, its load, and what the load has seen. */
class Load {
  readonly acknowledgements = new Acknowledgements()
  readonly observed: Observed
  readonly topics: TopicMaker
  readonly group: TorturedGroup
  readonly answers: LeaderAnswers
  clients: ReadonlyArray<Client> = []

  constructor(
    readonly cluster: CandidateCluster,
    private readonly options: CandidatesOptions,
    private readonly complain: (complaint: string) => void
  ) {
    const { brokerPorts, brokers, candidates } = cluster
    this.observed = new Observed(topic, complain)
    this.topics = new TopicMaker(brokerPorts, this.acknowledgements, complain)
    this.group = new TorturedGroup(brokerPorts, this.acknowledgements, complain)
    this.answers = new LeaderAnswers(new Map([...candidates.values(), ...brokers.values()].map(({ name, port }) => [name, port])), complain)
  }
  get watched() {
    return { nodes: this.cluster, topic, partitions, observed: this.observed, clients: this.options.clients }
  }
  async start(): Promise<void> {
    const { cluster, options } = this
    const load = { bootstrap: cluster.bootstrap, topic, partitions, perSecond: options.perSecond }
    this.clients = await Promise.all(options.clients.map((kind) => Client.start(kind, load, this.observed.take, this.complain)))
    this.topics.start()
    this.group.start()
    this.answers.start()
    await this.untilSuccess(Date.now())
  }
  /** Waits until everything has succeeded once after `ms`. */
  async untilSuccess(ms: number): Promise<void> {
    for (const name of measured) await until(`a success of ${name}`, () => this.acknowledgements.allSince(ms, [name], 1))
    await untilAcknowledged(this.watched, ms)
  }
  /** Ends the load; everything that was acknowledged must be there. */
  async stop(): Promise<void> {
    await this.topics.stop()
    await this.group.stop()
    await comeToRest(this.watched, this.clients)
    await this.answers.stop()
  }
}

/** Injects one fault, and waits until everything has succeeded again. */
const injectOne = async (load: Load, options: CandidatesOptions, fault: CandidateFaultName, startedMs: number): Promise<CandidateEvent> => {
  const { acknowledgements, cluster } = load
  const atMs = Date.now()
  acknowledgements.forgetBefore(atMs)
  load.observed.acknowledgements.forgetBefore(atMs)
  const { ledAtMs, what } = await candidateFaults[fault]({ cluster, lastingMs: options.lastingSeconds * 1000, stoppedMs })
  const endedMs = Date.now()
  await load.untilSuccess(endedMs)
  const seconds = (Date.now() - atMs) / 1000
  const pauses = acknowledgements.pausesSince(atMs)
  const next = ledAtMs === undefined ? undefined : acknowledgements.firstSince(creating, ledAtMs)
  return {
    fault,
    what,
    atSeconds: (atMs - startedMs) / 1000,
    seconds,
    pausesMs: Object.fromEntries(measured.map((name) => [name, pauses[name] ?? 0])) as CandidateEvent["pausesMs"],
    electedMs: ledAtMs === undefined ? undefined : ledAtMs - atMs,
    createdAfterMs: ledAtMs === undefined || next === undefined ? undefined : next - ledAtMs
  }
}

/** Injects faults until the time is over or their number is reached, or an invariant did not hold. Adds each to `events`. */
const inject = async (load: Load, options: CandidatesOptions, events: Array<CandidateEvent>, say: (line: string) => void, isBroken: () => boolean) => {
  const startedMs = Date.now()
  const isOver = () => (options.events === undefined ? Date.now() > startedMs + options.minutes * 60_000 : events.length >= options.events)
  for (const fault of order(options.faults, new Chance(options.seed))) {
    if (isOver() || isBroken()) return
    await Bun.sleep(restMs)
    const event = await injectOne(load, options, fault, startedMs).catch((cause: unknown) => {
      if (cause instanceof NotInTime) throw new NotInTime(`${fault}: ${cause.message}`)
      throw cause
    })
    events.push(event)
    say(shownEvent(event, events.length))
  }
}

const textOf = (cause: unknown): string => {
  if (cause instanceof NotInTime) return `liveness: ${cause.message}`
  return `the run could not continue: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`
}

/** Tortures candidates for the leader's role, and the etcd that has their journal. Returns what was seen; the processes have ended. */
export const tortureCandidates = async (options: CandidatesOptions, command: string, say: (line: string) => void): Promise<Tortured> => {
  const directory = mkdtempSync(join(tmpdir(), "franz-torture-"))
  const complaints: Array<string> = []
  const complain = (complaint: string): void => {
    complaints.push(complaint)
    say(`DID NOT HOLD: ${complaint}`)
  }
  say(`seed ${options.seed}; data in ${directory}`)
  const program = programOf(options.program, options.fromSource)
  const settings = ["auto.create.topics.enable=false", ...options.settings]
  const cluster = await CandidateCluster.start({ directory, program, settings, leaseMs: options.leaseMs, complain })
  const load = new Load(cluster, options, complain)
  const events: Array<CandidateEvent> = []
  const startedMs = Date.now()
  let [topicId, entries]: [string, Awaited<ReturnType<typeof journalEntries>>] = ["", []]
  try {
    topicId = await created(cluster, topic, partitions)
    await created(cluster, groupTopic, groupPartitions)
    await untilWhole(load.watched)
    await load.start()
    say(`3 members of etcd, 3 candidates, 3 brokers and the clients ${options.clients.join(", ")} are at work`)
    await inject(load, options, events, say, () => complaints.length > 0)
    await load.stop()
    entries = await journalEntries(cluster)
    for (const complaint of judgeJournal(entries, load.topics)) complain(complaint)
  } catch (cause) {
    complain(textOf(cause))
  }
  const seconds = (Date.now() - startedMs) / 1000
  for (const client of load.clients) await client.end()
  await cluster.stop()
  await cluster.etcd.stop()
  await judge({ ...load.watched, topicId, complain }, program)
  return { report: reportOf(load, { command, seed: options.seed, seconds, events, entries, complaints }), directory, cluster, notes: load.observed.notes }
}

type Outcome = Pick<CandidatesReport, "command" | "seed" | "seconds" | "events" | "complaints"> & {
  readonly entries: ReadonlyArray<{ readonly epoch: number }>
}

const reportOf = ({ answers, group, observed, topics }: Load, { entries, ...outcome }: Outcome): CandidatesReport => ({
  ...outcome,
  topicsCreated: topics.created.size,
  topicsDeleted: topics.deleted.size,
  refused: Object.fromEntries(topics.refused),
  commits: group.commits,
  offsetReads: group.reads,
  leaderAnswers: answers.answers,
  entries: entries.length,
  epochs: new Set(entries.map(({ epoch }) => epoch)).size,
  sent: observed.sent + group.sent,
  acknowledged: observed.acknowledged + group.sent
})
