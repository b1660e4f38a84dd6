import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { Effect } from "effect"
import { Admin, Producer } from "../../src/programs/library.ts"
import { leaves } from "../bench/cleanup.ts"
import { ended } from "../bench/process.ts"
import type { Cluster } from "./cluster.ts"

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
  take(line: string): void {
    if (line.startsWith("!")) this.complaints.push(line)
    else if (line === "" || line.startsWith("?")) return
    else if (this.first.has(line)) this.twice += 1
    else this.first.set(line, performance.now())
  }
}

const startMember = (leader: string, receipts: Receipts): ChildProcess => {
  const child = spawn(process.execPath, [join(root, "scripts/torture-client/member.ts"), leader, topic, "tortured-group"], {
    stdio: ["ignore", "pipe", "ignore"]
  })
  leaves(() => child.kill("SIGKILL"))
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) receipts.take(line)
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

/**
 * Five members read what a producer sends while members and brokers are killed in turn, with SIGKILL. Every confirmed
 * message must reach a member.
 */
export const tortureGroup = async (cluster: Cluster, seconds: number, say: (line: string) => void): Promise<GroupReport> => {
  const { leader } = cluster
  await Effect.runPromise(Effect.scoped(Effect.flatMap(Admin.make({ leader }), (admin) => admin.addTopic(topic, { partitions }))))
  const receipts = new Receipts()
  const members = Array.from({ length: memberCount }, () => startMember(leader, receipts))
  const sent: Sent = { confirmed: new Map(), count: 0, unknown: 0, longestMs: 0 }
  let running = true
  const producer = Effect.runPromise(sending(leader, sent, () => running))
  const until = performance.now() + seconds * 1000
  const killed = { brokers: 0, members: 0 }
  for (let turn = 0; performance.now() < until; turn++) {
    await Bun.sleep(4000)
    if (turn % 2 === 0) {
      const at = (turn >> 1) % memberCount
      const child = members[at]
      child?.kill("SIGKILL")
      if (child !== undefined) await ended(child)
      await Bun.sleep(1000)
      members[at] = startMember(leader, receipts)
      killed.members += 1
    } else {
      await cluster.bounce((turn >> 1) % cluster.brokers, 2000)
      killed.brokers += 1
    }
    say(`${cluster.name}: ${killed.members} members and ${killed.brokers} brokers killed, ${sent.confirmed.size} confirmed, ${receipts.first.size} received`)
  }
  running = false
  await producer
  const missing = (): ReadonlyArray<string> => [...sent.confirmed.keys()].filter((text) => !receipts.first.has(text))
  for (const giveUp = performance.now() + restMs; missing().length > 0 && performance.now() < giveUp; ) await Bun.sleep(200)
  for (const child of members) child.kill("SIGKILL")
  let longestWaitMs = 0
  for (const [text, at] of sent.confirmed) longestWaitMs = Math.max(longestWaitMs, (receipts.first.get(text) ?? at) - at)
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
    longestWaitMs: Math.round(longestWaitMs),
    longestSendMs: Math.round(sent.longestMs),
    sendBoundMs,
    complaints: receipts.complaints
  }
}
