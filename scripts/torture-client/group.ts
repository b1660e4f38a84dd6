import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { Effect } from "effect"
import { Admin, Producer } from "../../src/programs/library.ts"
import { leaves } from "../bench/cleanup.ts"
import { ended } from "../bench/process.ts"
import type { Cluster } from "./cluster.ts"
import { Outages } from "./outages.ts"

const root = join(import.meta.dir, "../..")
const topic = "tortured"
const memberCount = 5
const partitions = 6
const perSecond = 200
/** The time that the members have for what is left when the kills are over, ms. */
const restMs = 90_000

interface GroupReport {
  readonly cluster: string
  readonly seconds: number
  readonly brokersKilled: number
  readonly membersKilled: number
  readonly sent: number
  readonly confirmed: number
  readonly outcomesUnknown: number
  /** Confirmed, and received by no member. */
  readonly lost: number
  readonly receivedTwice: number
  /** From the confirmation of a message to its first receipt, at most, ms. */
  readonly longestWaitMs: number
  /** The same without the time in which a broker was down. */
  readonly longestWaitWhileUpMs: number
  /** The longest time from the kill of a broker until it takes connections again, and the sum of these times, ms. */
  readonly longestDownMs: number
  readonly totalDownMs: number
  /** How much later than its time a timer of this process came, at most, ms: the machine was busy. */
  readonly longestStallMs: number
  /** The longest time of a send, ms, and its bound. */
  readonly longestSendMs: number
  readonly sendBoundMs: number
  readonly complaints: ReadonlyArray<string>
}

/** What the members have received, and what is wrong with them. */
class Receipts {
  readonly first = new Map<string, number>()
  twice = 0
  readonly complaints: Array<string> = []
  constructor(private readonly tell: (line: string) => void) {}
  take(line: string, pid: number | undefined): void {
    if (line.startsWith("!")) this.complaints.push(line)
    else if (line.startsWith("?")) this.tell(`member ${pid}: ${line.slice(2)}`)
    else if (line === "") return
    else if (this.first.has(line)) this.twice += 1
    else this.first.set(line, performance.now())
  }
}

const sessionTimeoutMs = 6000
const rebalanceTimeoutMs = 10_000
const group = "tortured-group"
/** Who the members are: the library, or kcat, whose engine is librdkafka, for comparison. */
export const memberKinds = ["library", "kcat"] as const
export type MemberKind = (typeof memberKinds)[number]
const commandOf = (kind: MemberKind, leader: string): readonly [string, ...ReadonlyArray<string>] => {
  if (kind === "library")
    return [process.execPath, join(root, "scripts/torture-client/member.ts"), leader, topic, group, String(sessionTimeoutMs), String(rebalanceTimeoutMs)]
  const settings = { "session.timeout.ms": sessionTimeoutMs, "max.poll.interval.ms": rebalanceTimeoutMs, "auto.offset.reset": "earliest" }
  return ["kcat", "-b", leader, ...Object.entries(settings).flatMap(([name, value]) => ["-X", `${name}=${value}`]), "-u", "-q", "-G", group, topic]
}

const startMember = (kind: MemberKind, leader: string, receipts: Receipts): ChildProcess => {
  const [program, ...args] = commandOf(kind, leader)
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] })
  leaves(() => child.kill("SIGKILL"))
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) receipts.take(line, child.pid)
  })
  child.once("exit", (code, signal) => {
    if (signal === null) receipts.complaints.push(`a member ended with ${code}`)
  })
  return child
}

const sendBoundMs = 60_000
interface Sent {
  readonly confirmed: Map<string, number>
  count: number
  unknown: number
  longestMs: number
}
/** Sends numbered messages at a steady rate until `running` is false, and waits for their reports. */
const sending = (leader: string, sent: Sent, running: () => boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make({ leader, requestTimeoutMs: 5000, deliveryTimeoutMs: sendBoundMs })
      const from = performance.now()
      while (running()) {
        const due = Math.floor(((performance.now() - from) / 1000) * perSecond)
        for (; sent.count < due; sent.count++) {
          const text = `message ${sent.count}`
          const at = performance.now()
          const report = Effect.match(producer.sendMessage(topic, text, { key: String(sent.count % 100) }), {
            onSuccess: () => void sent.confirmed.set(text, performance.now()),
            onFailure: () => void (sent.unknown += 1)
          })
          const measured = Effect.ensuring(
            report,
            Effect.sync(() => (sent.longestMs = Math.max(sent.longestMs, performance.now() - at)))
          )
          yield* Effect.fork(measured)
        }
        yield* Effect.sleep(20)
      }
      yield* producer.flush
    })
  )

/** The parts of one run. */
interface Run {
  readonly cluster: Cluster
  readonly receipts: Receipts
  readonly sent: Sent
  readonly outages: Outages
  readonly tell: (line: string) => void
}
/** What the run is like. */
interface Scenario {
  readonly kind: MemberKind
  readonly seconds: number
  /** The time before each kill, ms. */
  readonly pauseMs: number
}

/** Kills members and brokers in turn until the time is over. Returns how many. */
const killInTurn = async (
  { cluster, outages, receipts, sent, tell }: Run,
  { kind, pauseMs, seconds }: Scenario,
  members: Array<ChildProcess>,
  say: (line: string) => void
) => {
  const until = performance.now() + seconds * 1000
  const killed = { brokers: 0, members: 0 }
  for (let turn = 0; performance.now() < until; turn++) {
    await Bun.sleep(pauseMs)
    if (turn % 2 === 0) {
      const at = (turn >> 1) % memberCount
      const child = members[at]
      tell(`kills member ${child?.pid}`)
      child?.kill("SIGKILL")
      if (child !== undefined) await ended(child)
      await Bun.sleep(1000)
      members[at] = startMember(kind, cluster.leader, receipts)
      tell(`starts member ${members[at]?.pid}`)
      killed.members += 1
    } else {
      const broker = (turn >> 1) % cluster.brokers
      tell(`kills broker ${broker}`)
      await outages.during(cluster.bounce(broker, 2000))
      tell(`broker ${broker} is back`)
      killed.brokers += 1
    }
    say(`${cluster.name}: ${killed.members} members and ${killed.brokers} brokers killed, ${sent.confirmed.size} confirmed, ${receipts.first.size} received`)
  }
  return killed
}

/** How long confirmed messages waited for their first receipt. `tellAt` gets each that waited longer than all before it. */
const waitsOf = ({ outages, receipts, sent }: Run, tellAt: (atMs: number, line: string) => void) => {
  let longestWaitMs = 0
  let longestWaitWhileUpMs = 0
  for (const [text, at] of sent.confirmed) {
    const receivedAt = receipts.first.get(text) ?? at
    longestWaitWhileUpMs = Math.max(longestWaitWhileUpMs, outages.upMs(at, receivedAt))
    if (receivedAt - at <= longestWaitMs) continue
    longestWaitMs = receivedAt - at
    tellAt(receivedAt, `'${text}' is received ${Math.round(longestWaitMs)} ms after its confirmation, the longest wait so far`)
  }
  return { longestWaitMs: Math.round(longestWaitMs), longestWaitWhileUpMs: Math.round(longestWaitWhileUpMs) }
}

/**
 * Five members read what a producer sends while members and brokers are killed in turn, with SIGKILL. Every confirmed
 * message must reach a member.
 */
export const tortureGroup = async (
  cluster: Cluster,
  scenario: Scenario,
  say: (line: string) => void,
  tellAt: (atMs: number, line: string) => void = () => {}
): Promise<GroupReport> => {
  const { leader } = cluster
  const tell = (line: string) => tellAt(performance.now(), line)
  await Effect.runPromise(Effect.scoped(Effect.flatMap(Admin.make({ leader }), (admin) => admin.addTopic(topic, { partitions }))))
  const receipts = new Receipts(tell)
  const sent: Sent = { confirmed: new Map(), count: 0, unknown: 0, longestMs: 0 }
  const { kind, seconds } = scenario
  const run: Run = { cluster, receipts, sent, outages: new Outages(), tell }
  const members = Array.from({ length: memberCount }, () => startMember(kind, leader, receipts))
  let running = true
  const producer = Effect.runPromise(sending(leader, sent, () => running))
  const killed = await killInTurn(run, scenario, members, say)
  running = false
  await producer
  const missing = (): ReadonlyArray<string> => [...sent.confirmed.keys()].filter((text) => !receipts.first.has(text))
  for (const giveUp = performance.now() + restMs; missing().length > 0 && performance.now() < giveUp; ) await Bun.sleep(200)
  for (const child of members) child.kill("SIGKILL")
  run.outages.end()
  return {
    cluster: cluster.name,
    seconds,
    brokersKilled: killed.brokers,
    membersKilled: killed.members,
    sent: sent.count,
    confirmed: sent.confirmed.size,
    outcomesUnknown: sent.unknown,
    lost: missing().length,
    receivedTwice: receipts.twice,
    ...waitsOf(run, tellAt),
    longestDownMs: Math.round(run.outages.longestDownMs),
    totalDownMs: Math.round(run.outages.totalDownMs),
    longestStallMs: Math.round(run.outages.longestStallMs),
    longestSendMs: Math.round(sent.longestMs),
    sendBoundMs,
    complaints: receipts.complaints
  }
}
