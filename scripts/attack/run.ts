import { spawn } from "node:child_process"
import { join } from "node:path"
import { ApiVersions } from "../../src/protocol/message/18-api-versions.ts"
import { leaves } from "../bench/cleanup.ts"
import { ended } from "../bench/process.ts"
import { createTopic } from "../bench/topic.ts"
import type { Aim, Attack } from "./attack.ts"
import { startNode } from "./node.ts"
import { withRaw } from "./raw.ts"
import type { Verdict } from "./verdict.ts"

interface Amount {
  readonly seconds: number
  readonly share: number
  readonly memoryBytesMax: number
  readonly seed: number
}

/** What one attack did to a node. */
export interface Outcome {
  readonly attack: string
  readonly did: string
  /** Why the node did not hold, a sentence each. None: it did. */
  readonly faults: ReadonlyArray<string>
  readonly honest: Verdict | undefined
  /** Resident memory before, at its highest and after the attack, MiB. */
  readonly rssMiB: { readonly before: number; readonly peak: number; readonly after: number }
  readonly isConfined: boolean
  /** Bytes that journal, logs and log lines grew by. */
  readonly grew: { readonly journal: number; readonly logs: number; readonly logLines: number }
  /** How long the first request after the attack waited, ms. */
  readonly firstAnswerMs: number
  readonly restartSeconds: number
}

const honestClients = async (port: number) => {
  const child = spawn(process.execPath, [join(import.meta.dir, "../..", "scripts/attack/honest-client.ts"), String(port)], { stdio: ["pipe", "pipe", "pipe"] })
  const kill = leaves(() => child.kill("SIGKILL"))
  let printed = ""
  let said = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  while (!said.includes("at work")) {
    if (child.exitCode !== null) throw new Error(`the honest clients could not begin: ${said}`)
    await Bun.sleep(20)
  }
  return {
    /** What they found; or what they said, where they came to no end. */
    settle: async (): Promise<Verdict | string> => {
      child.stdin.end()
      await ended(child)
      kill()
      try {
        return JSON.parse(printed) as Verdict
      } catch {
        return said
      }
    }
  }
}

const isServed = (port: number) => withRaw(port, (raw) => raw.call(ApiVersions, 0, {}))

/** Runs one attack against a node of its own, beside honest clients, and looks at what is left. */
export const runAttack = async (attack: Attack, program: ReadonlyArray<string>, { memoryBytesMax, seconds, seed, share }: Amount): Promise<Outcome> => {
  const node = await startNode(program, { settings: attack.settings ?? [], directories: attack.directories ?? 1, memoryBytesMax })
  try {
    await createTopic(node.port, { name: "target", partitions: 4 })
    const honest = await honestClients(node.port)
    const before = { rss: node.rssMiB(), ...node.sizes(), lines: node.log().length }
    const until = performance.now() + seconds * 1000
    const aim: Aim = { port: node.port, topic: "target", goesOn: () => node.isAlive() && performance.now() < until, share, seed }
    const did = await attack.run(aim)
    const at = performance.now()
    const served = await isServed(node.port)
    const firstAnswerMs = performance.now() - at
    const faults: Array<string> = []
    if (!node.isAlive()) faults.push(`the node ended (${node.end()}): ${node.log().slice(-500)}`)
    else if (served === undefined) faults.push("the node does not serve after the attack")
    const wrong = node.isAlive() ? await attack.verify?.(aim) : undefined
    if (wrong !== undefined) faults.push(wrong)
    const settled = await honest.settle()
    const verdict = typeof settled === "string" ? undefined : settled
    if (verdict === undefined) faults.push(`the honest clients did not come to an end: ${String(settled).slice(-600)}`)
    else {
      if (verdict.lost.length > 0) faults.push(`acknowledged and lost: ${verdict.lost.slice(0, 5).join(", ")}`)
      if (verdict.twice.length > 0) faults.push(`there twice: ${verdict.twice.slice(0, 5).join(", ")}`)
      if (verdict.receivedByGroup < verdict.acknowledged) faults.push(`the group was given ${verdict.receivedByGroup} of ${verdict.acknowledged} messages`)
    }
    const after = { rss: node.rssMiB(), ...node.sizes(), lines: node.log().length }
    const started = performance.now()
    if (node.isAlive()) await node.restart().catch((cause: unknown) => faults.push(`the node does not start again: ${String(cause).slice(0, 600)}`))
    const restartSeconds = (performance.now() - started) / 1000
    if (faults.length === 0 && (await isServed(node.port)) === undefined) faults.push("the node does not serve after a restart")
    return {
      attack: attack.name,
      did,
      faults,
      honest: verdict,
      rssMiB: { before: before.rss, peak: node.peakMiB(), after: after.rss },
      isConfined: node.isConfined,
      grew: { journal: after.journal - before.journal, logs: after.logs - before.logs, logLines: after.lines - before.lines },
      firstAnswerMs,
      restartSeconds
    }
  } finally {
    await node.stop()
  }
}
