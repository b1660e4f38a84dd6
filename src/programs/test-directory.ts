import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { Effect, type Scope } from "effect"

/**
 * The data directories of test clusters. Each is removed with its scope. Where the process ends before that, one of these removes it: the process at its exit, a shell
 * that waits for the end of the process (also by SIGKILL), or the next test cluster of this machine.
 */

/** Containers that share a directory for temporary files have names of their own: each removes what its own processes left. */
const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 8)
const nameOf = (pid: number | string): string => `comanche-franz-${machine}-${pid}-`
const ofMachine = new RegExp(`^${nameOf("(\\d{1,10})")}`)

const open = new Set<string>()
const remove = (path: string): void => {
  open.delete(path)
  rmSync(path, { recursive: true, force: true, maxRetries: 3 })
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as { readonly code?: string }).code === "EPERM"
  }
}

/** Removes the directories of processes that are gone. What cannot be removed belongs to another user. */
const sweep = (): void => {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(ofMachine.exec(name)?.[1])
    if (!(pid > 0) || isAlive(pid)) continue
    try {
      remove(join(tmpdir(), name))
    } catch {
      // The next one tries again.
    }
  }
}

/** Starts a shell whose input ends with this process, however it ends. Without a shell the next cluster sweeps. */
const watch = (path: string): (() => void) => {
  if (process.platform === "win32") return () => undefined
  const shell = spawn("/bin/sh", ["-c", 'read -r _; rm -rf -- "$1"', "sh", path], { stdio: ["pipe", "ignore", "ignore"], detached: true })
  shell.on("error", () => undefined)
  shell.stdin.on("error", () => undefined)
  shell.unref()
  const input: unknown = shell.stdin
  if (input !== null && typeof input === "object" && "unref" in input && typeof input.unref === "function") input.unref()
  return () => shell.stdin.end()
}

let isPrepared = false
const prepare = (): void => {
  if (isPrepared) return
  isPrepared = true
  process.once("exit", () => {
    for (const path of open) remove(path)
  })
  sweep()
}

/** An empty directory for one cluster, until the scope closes. */
export const testDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    prepare()
    const path = mkdtempSync(join(tmpdir(), nameOf(process.pid)))
    open.add(path)
    return { path, stopWatch: watch(path) }
  }),
  ({ path, stopWatch }) =>
    Effect.sync(() => {
      remove(path)
      stopWatch()
    })
).pipe(Effect.map(({ path }) => path))
