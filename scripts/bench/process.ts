import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { leaves } from "./cleanup.ts"
import { cpuClock } from "./cpu-clock.ts"

/** User and system time of a process and all its threads, seconds. */
export const cpuSeconds = cpuClock.seconds
/** The processor time of a process since it was `before`, seconds: at least what the clock can tell, since less cannot be told from nothing. */
export const cpuSecondsSince = (pid: number, before: number): number => Math.max(cpuClock.resolutionSeconds, cpuSeconds(pid) - before)
/** Resident memory of a process, MiB. */
export const rssMiB = (pid: number): number => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) / 1024
export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

export const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => (child.exitCode !== null || child.signalCode !== null ? resolve() : child.once("close", () => resolve())))

/** Waits until a process has printed a line `ready`. Fails where it ends before, or takes longer. */
export const untilReady = (child: ChildProcess, name: string, withinMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let printed = ""
    const late = setTimeout(() => reject(new Error(`${name} is not ready within ${withinMs / 1000} s`)), withinMs)
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed = (printed + text).slice(-4000)
      if (!/^ready$/m.test(printed)) return
      clearTimeout(late)
      resolve()
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => {
      clearTimeout(late)
      reject(new Error(`${name} ended with ${code ?? signal} before it was ready`))
    })
  })

/** A directory that is gone when this process is. */
export const temporaryDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "franz-bench-"))
  return { path, remove: leaves(() => rmSync(path, { recursive: true, force: true, maxRetries: 3 })) }
}

/** Runs a program to its end and gives what it printed. Fails when it does, and where it takes longer than `withinMs`: the program is then killed. */
export const output = async (
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
  withinMs = 3_600_000
): Promise<string> => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } })
  const kill = leaves(() => child.kill("SIGKILL"))
  let printed = ""
  let complained = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complained = (complained + text).slice(-4000)))
  const late = setTimeout(() => {
    complained += `\nit did not end within ${withinMs / 1000} s`
    child.kill("SIGKILL")
  }, withinMs)
  await ended(child)
  clearTimeout(late)
  kill()
  if (child.exitCode !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${child.exitCode ?? child.signalCode}\n${complained}`)
  return printed
}

export const has = (command: string, ...args: ReadonlyArray<string>): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0
