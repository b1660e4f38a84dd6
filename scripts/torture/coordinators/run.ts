import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { groupMetadataTopic } from "../../../domain/cluster/topic/group-metadata.ts"
import { Chance } from "../../../test/simulation/chance.ts"
import { availableClients } from "../clients.ts"
import { Nodes, programOf } from "../nodes.ts"
import { UsageError } from "../options.ts"
import { NotInTime, until, untilWhole } from "../site.ts"
import { createTopic, topicIdOf } from "../topic-state.ts"
import { judge } from "../verdict.ts"
import { coordinatorFaults } from "./faults.ts"
import { GroupLoad } from "./load.ts"
import type { CoordinatorFaultName, CoordinatorsOptions } from "./options.ts"
import { type CoordinatorEvent, type CoordinatorsReport, shownEvent } from "./report.ts"

const topic = "tortured"
const brokerIds = [1, 2, 3]
const [replicas, minInSync] = [3, 2]
/** The pause after a fault, so that the next one meets groups at work, ms. */
const restMs = 500

interface Tortured {
  readonly report: CoordinatorsReport
  readonly directory: string
  readonly nodes: Nodes
  readonly notes: ReadonlyArray<string>
}

/** The faults in an order that the seed determines: each once, then each once again. */
function* order(names: ReadonlyArray<CoordinatorFaultName>, chance: Chance): Generator<CoordinatorFaultName> {
  for (;;) {
    const left = [...names]
    while (left.length > 0) yield* left.splice(chance.below(left.length), 1)
  }
}

/** Creates the topic, and waits until the groups are handed over. Returns the topic's id. */
const prepared = async (nodes: Nodes, load: GroupLoad): Promise<string> => {
  let topicId: string | undefined
  let refusal = ""
  await until("the topic is created", async () => {
    topicId = await createTopic(nodes.leaderPort, topic, load.partitions, replicas, minInSync).catch((cause: unknown) => {
      refusal = String(cause)
      return topicIdOf(nodes.leaderPort, topic)
    })
    return topicId !== undefined
  }).catch((cause: unknown) => {
    throw new Error(`${String(cause)}: ${refusal}`)
  })
  await until("the groups are handed over to the brokers", async () => (await topicIdOf(nodes.leaderPort, groupMetadataTopic)) !== undefined)
  await untilWhole(load.watched)
  return topicId ?? ""
}

/** Injects one fault, and waits until the cluster is whole and every group commits. */
const injectOne = async (load: GroupLoad, fault: CoordinatorFaultName, startedMs: number): Promise<CoordinatorEvent> => {
  const atMs = Date.now()
  load.commits.forgetBefore(atMs)
  load.observed.acknowledgements.forgetBefore(atMs)
  let coordinatedMs = 0
  const id = await coordinatorFaults[fault](load.site, () => {
    coordinatedMs = Date.now() - atMs
  })
  await load.untilRecovered()
  const pauses = load.commits.pausesSince(atMs)
  return {
    fault,
    what: `broker ${id}`,
    atSeconds: (atMs - startedMs) / 1000,
    seconds: (Date.now() - atMs) / 1000,
    coordinatedMs,
    pausesMs: Object.fromEntries(load.groups.map(({ kind }) => [kind, pauses[kind] ?? 0]))
  }
}

/** Injects faults until the time is over or their number is reached, or an invariant did not hold. Adds each to `events`. */
const inject = async (
  load: GroupLoad,
  options: CoordinatorsOptions,
  events: Array<CoordinatorEvent>,
  say: (line: string) => void,
  isBroken: () => boolean
): Promise<void> => {
  const startedMs = Date.now()
  const isOver = (): boolean => {
    if (options.events !== undefined) return events.length >= options.events
    if (options.kills !== undefined) return events.filter(({ fault }) => fault === "kill").length >= options.kills
    return Date.now() > startedMs + options.minutes * 60_000
  }
  for (const fault of order(options.faults, new Chance(options.seed))) {
    if (isOver() || isBroken()) return
    await Bun.sleep(restMs)
    const event = await injectOne(load, fault, startedMs).catch((cause: unknown) => {
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

/** Tortures the coordinators of groups. Returns what was seen; the processes have ended. Throws UsageError for clients that this machine lacks. */
export const tortureCoordinators = async (options: CoordinatorsOptions, command: string, say: (line: string) => void): Promise<Tortured> => {
  const available = availableClients()
  const kinds = options.clients ?? available
  const missing = kinds.filter((kind) => !available.includes(kind))
  if (missing.length > 0) throw new UsageError(`this machine has no client of the kind ${missing.join(", ")}`)
  const directory = mkdtempSync(join(tmpdir(), "franz-torture-"))
  const complaints: Array<string> = []
  const complain = (complaint: string): void => {
    complaints.push(complaint)
    say(`DID NOT HOLD: ${complaint}`)
  }
  say(`seed ${options.seed}; data in ${directory}`)
  const program = programOf(options.program, options.fromSource)
  const settings = ["auto.create.topics.enable=false", "franz.groups.engine=partitions", "group.initial.rebalance.delay.ms=0", ...options.settings]
  const nodes = await Nodes.start({ directory, brokerIds, program, settings, isProxied: false, hasSmallDisk: false, complain })
  const load = new GroupLoad(nodes, { kinds, topic, perSecond: options.perSecond, complain })
  const events: Array<CoordinatorEvent> = []
  const startedMs = Date.now()
  let topicId = ""
  try {
    topicId = await prepared(nodes, load)
    await load.start()
    say(`${brokerIds.length} brokers and the groups of ${kinds.join(", ")} are at work`)
    await inject(load, options, events, say, () => complaints.length > 0)
    await load.comeToRest()
  } catch (cause) {
    complain(textOf(cause))
  }
  const seconds = (Date.now() - startedMs) / 1000
  await load.end()
  await nodes.stop()
  // Replicas are equal at rest alone.
  if (complaints.length === 0) await judge({ ...load.watched, topicId, complain }, program)
  const { acknowledged, notes, sent } = load.observed
  const groups = load.groups.map(({ commits, group, kind, processed, reads, refused }) => ({ kind, group, processed, commits, refused, reads }))
  return { report: { command, seed: options.seed, seconds, events, groups, sent, acknowledged, complaints }, directory, nodes, notes }
}
