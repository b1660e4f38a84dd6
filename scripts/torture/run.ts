import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Chance } from "../../test/simulation/chance.ts"
import { availableClients, Client } from "./clients.ts"
import type { FaultName } from "./fault-name.ts"
import { faults } from "./faults.ts"
import { Nodes, programOf } from "./nodes.ts"
import { Observed } from "./observed.ts"
import type { TortureOptions } from "./options.ts"
import { anyClient } from "./pauses.ts"
import { type Event, type TortureReport, violationsOf } from "./report.ts"
import { NotInTime, type Site, until, untilAcknowledged, untilWhole } from "./site.ts"
import { createTopic } from "./topic-state.ts"
import { comeToRest, judge } from "./verdict.ts"

const topic = "tortured"
const brokerIds = [1, 2, 3]
const minInSync = 2
/** The pause after a fault, so that the next one meets a cluster at work, ms. */
const restMs = 1000

/** The faults in an order that the seed determines: each once, then each once again. */
function* order(names: ReadonlyArray<FaultName>, chance: Chance): Generator<FaultName> {
  while (names.length > 0) {
    const left = [...names]
    while (left.length > 0) yield* left.splice(chance.below(left.length), 1)
  }
}

interface Tortured {
  readonly report: TortureReport
  readonly directory: string
  readonly nodes: Nodes
  readonly notes: ReadonlyArray<string>
}

const seconds = (ms: number | undefined): string => ((ms ?? 0) / 1000).toFixed(1)

/** Injects one fault, and waits until the cluster is whole. */
const injectOne = async (site: Site, fault: FaultName, startedMs: number): Promise<Event> => {
  const { observed } = site
  const { acknowledgements } = observed
  const atMs = Date.now()
  const notedBefore = observed.noted
  const steps: Record<string, number> = {}
  acknowledgements.forgetBefore(atMs)
  const what = await faults[fault]({
    ...site,
    mark: (step) => {
      steps[step] = (Date.now() - atMs) / 1000
    }
  })
  await untilWhole(site)
  const wholeMs = Date.now()
  await untilAcknowledged(site, wholeMs)
  return {
    fault,
    what,
    atSeconds: (atMs - startedMs) / 1000,
    seconds: (wholeMs - atMs) / 1000,
    steps,
    notes: observed.noted - notedBefore,
    pausesMs: acknowledgements.pausesSince(atMs)
  }
}

const tellEvent = (site: Site, event: Event, nth: number): void => {
  const pauses = [anyClient, ...site.clients].map((name) => `${name} ${seconds(event.pausesMs[name])}`).join(", ")
  const steps = Object.entries(event.steps).map(([name, at]) => `${name} ${at.toFixed(1)}, `)
  const minutes = `${Math.floor(event.atSeconds / 60)}:${String(Math.floor(event.atSeconds % 60)).padStart(2, "0")}`
  site.say(
    `${minutes}  ${nth} ${event.fault}: ${event.what}; without an acknowledgement (s): ${pauses}; steps (s): ${steps.join("")}whole ${event.seconds.toFixed(1)}; ${event.notes} errors retried; ${site.observed.acknowledged} acknowledged`
  )
}

/** Injects faults until the time is over or their number is reached, or an invariant did not hold. Adds each to `events`. */
const inject = async (site: Site, options: TortureOptions, events: Array<Event>, isBroken: () => boolean): Promise<void> => {
  const names = options.faults.filter((name) => name !== "full" || site.nodes.hasSmallDisk)
  if (names.length < options.faults.length) site.say("full is left out: only root can mount a small disk")
  if (names.length === 0) throw new Error("there is no fault to inject")
  const startedMs = Date.now()
  const untilMs = startedMs + options.minutes * 60_000
  const isOver = (): boolean => {
    if (options.events !== undefined) return events.length >= options.events
    if (options.kills !== undefined) return events.filter(({ fault }) => fault === "kill").length >= options.kills
    return Date.now() > untilMs
  }
  for (const fault of order(names, site.chance)) {
    if (isOver() || isBroken()) break
    await Bun.sleep(restMs)
    const event = await injectOne(site, fault, startedMs).catch((cause: unknown) => {
      if (cause instanceof NotInTime) throw new NotInTime(`${fault}: ${cause.message}`)
      throw cause
    })
    events.push(event)
    tellEvent(site, event, events.length)
  }
}

const startSite = async (options: TortureOptions, directory: string, say: Site["say"], complain: Site["complain"]): Promise<Site> => {
  const available = availableClients()
  const clients = options.clients ?? available
  const missing = clients.filter((kind) => !available.includes(kind))
  if (missing.length > 0) throw new Error(`this machine has no client of the kind ${missing.join(", ")}`)
  const isProxied = options.faults.includes("cut")
  const hasSmallDisk = options.faults.includes("full")
  const program = programOf(options.program, options.fromSource)
  const settings = ["auto.create.topics.enable=false", ...options.settings]
  const nodes = await Nodes.start({ directory, brokerIds, program, settings, isProxied, hasSmallDisk, complain })
  // The event level is raised when every broker has registered.
  let topicId = ""
  let refusal = ""
  await until("the topic is created", async () => {
    try {
      topicId = await createTopic(nodes.leaderPort, topic, options.partitions, brokerIds.length, minInSync)
    } catch (cause) {
      refusal = String(cause)
    }
    return topicId !== ""
  }).catch((cause: unknown) => {
    throw new Error(`${String(cause)}: ${refusal}`)
  })
  const observed = new Observed(topic, complain)
  return {
    nodes,
    topic,
    topicId,
    partitions: options.partitions,
    clients,
    observed,
    chance: new Chance(options.seed),
    lastingMs: options.lastingSeconds * 1000,
    mark: () => {},
    say,
    complain
  }
}

/** Tortures a cluster of real processes. Returns what was seen; the nodes have ended. */
export const torture = async (options: TortureOptions, command: string, say: (line: string) => void): Promise<Tortured> => {
  const directory = mkdtempSync(join(tmpdir(), "franz-torture-"))
  const complaints: Array<string> = []
  const complain = (complaint: string): void => {
    complaints.push(complaint)
    say(`DID NOT HOLD: ${complaint}`)
  }
  say(`seed ${options.seed}; data in ${directory}`)
  const site = await startSite(options, directory, say, complain)
  const { clients, nodes, observed } = site
  const load = { bootstrap: nodes.bootstrap, topic, partitions: options.partitions, perSecond: options.perSecond }
  const running = await Promise.all(clients.map((kind) => Client.start(kind, load, observed.take, complain)))
  const startedMs = Date.now()
  const events: Array<Event> = []
  try {
    await untilWhole(site)
    await untilAcknowledged(site, startedMs)
    say(`${brokerIds.length} brokers and the clients ${clients.join(", ")} are at work`)
    await inject(site, options, events, () => complaints.length > 0)
    await comeToRest(site, running)
  } catch (cause) {
    complain(
      cause instanceof NotInTime
        ? `liveness: ${cause.message}`
        : `the run could not continue: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`
    )
  }
  const took = (Date.now() - startedMs) / 1000
  for (const client of running) await client.end()
  await nodes.stop()
  await judge(site, programOf(options.program, options.fromSource))
  const { acknowledged, failed, noted, notes, recorder, sent, unknown } = observed
  const counts = { sent, acknowledged, unknown, failed, read: recorder.polls.length, noted, ...violationsOf(complaints) }
  return { report: { command, seed: options.seed, seconds: took, clients, ...counts, events, complaints, notes }, directory, nodes, notes }
}
