import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { leaves } from "../bench/cleanup.ts"
import { ended, temporaryDirectory } from "../bench/process.ts"

const root = join(import.meta.dir, "../..")
const readyWithinMs = 120_000

/** A memory cgroup for one process, where this machine lets us make one; undefined elsewhere. */
interface Group {
  /** Commands of a shell that put the shell into the group. */
  readonly enter: string
  readonly remove: () => void
}
const memoryGroup = (name: string, bytesMax: number): Group | undefined => {
  const made = (parent: string, limit: string): Group | undefined => {
    const path = join(parent, name)
    try {
      mkdirSync(path)
      writeFileSync(join(path, limit), String(bytesMax))
    } catch {
      return undefined
    }
    const remove = leaves(() => {
      try {
        rmdirSync(path)
      } catch {
        // The kernel may hold the group a moment longer than its last process; an empty group costs nothing.
      }
    })
    return { enter: `echo $$ > ${join(path, "cgroup.procs")} && `, remove }
  }
  // Version 2 has its controllers in the root, version 1 a tree for each.
  return existsSync("/sys/fs/cgroup/cgroup.controllers")
    ? made("/sys/fs/cgroup", "memory.max")
    : existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes")
      ? made("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      : undefined
}

const bytesBelow = (path: string): number => {
  try {
    const stat = statSync(path)
    return stat.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0) : stat.size
  } catch {
    return 0
  }
}

/** A node under attack: a process of its own, in a memory cgroup of its own where that can be had. */
interface Node {
  readonly port: number
  readonly pid: number
  /** Whether the kernel holds it to its memory. */
  readonly isConfined: boolean
  readonly isAlive: () => boolean
  /** How the process ended, for the report. */
  readonly end: () => string
  /** Resident memory now and at its highest, MiB. */
  readonly rssMiB: () => number
  readonly peakMiB: () => number
  /** Bytes of the leader's journals, and of the brokers' logs. */
  readonly sizes: () => { readonly journal: number; readonly logs: number }
  /** Everything that it logged. */
  readonly log: () => string
  /** Stops it cleanly, and starts it again on the same data and port. */
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
}

const memoryOf = (pid: number, field: string): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(new RegExp(`${field}:\\s+(\\d+)`))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

interface NodeOptions {
  readonly settings: ReadonlyArray<string>
  readonly directories: number
  readonly memoryBytesMax: number
}

/** One process after the other on the same data and port, all in one memory cgroup. */
class AttackedNode implements Node {
  private child: ChildProcess | undefined
  private how = ""
  private highestMiB = 0
  port = 0
  private readonly directory = temporaryDirectory()
  private readonly data: ReadonlyArray<string>
  private readonly logFile = join(this.directory.path, "log")
  private readonly group: Group | undefined
  private readonly kill = leaves(() => this.child?.kill("SIGKILL"))

  constructor(
    private readonly program: ReadonlyArray<string>,
    private readonly settings: ReadonlyArray<string>,
    { directories, memoryBytesMax }: Pick<NodeOptions, "directories" | "memoryBytesMax">
  ) {
    this.data = Array.from({ length: directories }, (_, nth) => join(this.directory.path, nth === 0 ? "data" : `data-${nth}`))
    this.group = memoryGroup(`franz-attack-${process.pid}-${this.directory.path.slice(-6)}`, memoryBytesMax)
  }

  get pid() {
    return this.child?.pid ?? 0
  }
  get isConfined() {
    return this.group !== undefined
  }
  readonly isAlive = () => this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  readonly end = () => this.how
  readonly log = () => (existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "")
  readonly rssMiB = () => memoryOf(this.pid, "VmRSS")
  readonly peakMiB = () => Math.max(this.highestMiB, memoryOf(this.pid, "VmHWM"))
  readonly sizes = () => {
    const journal = bytesBelow(join(this.data[0] as string, "leader"))
    return { journal, logs: this.data.reduce((sum, path) => sum + bytesBelow(path), -journal) }
  }

  async start(): Promise<void> {
    const words = [...this.program, "up", "--port", String(this.port), "--data", this.data.join(","), ...this.settings.flatMap((setting) => ["-X", setting])]
    const before = this.log().length
    const output = openSync(this.logFile, "a")
    this.child = spawn("/bin/sh", ["-c", `${this.group?.enter ?? ""}exec "$@"`, "sh", ...words], { cwd: root, stdio: ["ignore", output, output] })
    closeSync(output)
    this.child.once("exit", (code, signal) => (this.how = String(signal ?? code)))
    const until = performance.now() + readyWithinMs
    const said = () => this.log().slice(before)
    while (!/^ready$/m.test(said())) {
      if (!this.isAlive() || performance.now() > until)
        throw new Error(`the node did not become ready (${this.how || "still running"}):\n${said().slice(-4000)}`)
      await Bun.sleep(20)
    }
    this.port = Number(said().match(/: 127\.0\.0\.1:(\d+)$/m)?.[1] ?? 0)
  }
  private async endProcess(): Promise<void> {
    this.highestMiB = this.peakMiB()
    this.child?.kill("SIGTERM")
    if (this.child) await ended(this.child)
  }
  readonly restart = async () => {
    await this.endProcess()
    await this.start()
  }
  readonly stop = async () => {
    await this.endProcess()
    this.kill()
    this.group?.remove()
    this.directory.remove()
  }
}

/** Starts `franz up` on a free port; fails with what it logged when it is not ready in time. */
export const startNode = async (program: ReadonlyArray<string>, { settings, ...options }: NodeOptions): Promise<Node> => {
  const node = new AttackedNode(program, settings, options)
  try {
    await node.start()
  } catch (cause) {
    await node.stop()
    throw cause
  }
  return node
}
