import { spawn } from "node:child_process"
import { join } from "node:path"

const root = join(import.meta.dir, "../..")

/** A node that was started, and where it listens. */
interface StartedNode {
  readonly address: string
  readonly stop: (signal: NodeJS.Signals) => void
  readonly ended: Promise<unknown>
}

/** Starts a node from its sources; returns when it is ready. */
export const startNode = (...args: ReadonlyArray<string>): Promise<StartedNode> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "src/programs/franz.ts"), ...args], { stdio: ["ignore", "pipe", "inherit"] })
    const ended = new Promise((end) => child.once("close", end))
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more
      const address = text.match(/: (127\.0\.0\.1:\d+)$/m)?.[1]
      if (address !== undefined && /^ready$/m.test(text)) resolve({ address, stop: (signal) => void child.kill(signal), ended })
    })
    child.once("close", (code) => reject(new Error(`franz ${args.join(" ")} ended with ${code} before it was ready`)))
  })

export const finish = async (node: StartedNode, signal: NodeJS.Signals): Promise<void> => {
  node.stop(signal)
  await node.ended
}

/** Runs a program to its end; its output. Fails unless it ends with 0. */
export const run = (program: string, args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more))
    child.once("close", (code) => (code === 0 ? resolve(text) : reject(new Error(`${program} ${args.join(" ")} ended with ${code}`))))
  })
