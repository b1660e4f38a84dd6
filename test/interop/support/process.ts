import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const root = join(import.meta.dir, "../../..")

/** A generous deadline: it ends a hanging test and measures no speed. */
export const deadlineMs = 60_000

/** Repeats the call until it gives a result; fails with `what` after the deadline. */
export const until = async <A>(what: string, ask: () => A | undefined | false | Promise<A | undefined | false>, withinMs = deadlineMs): Promise<A> => {
  const end = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms`)
    await new Promise((resume) => setTimeout(resume, 25))
  }
}

export const temporaryDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "franz-interop-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** `ownsGroup`: the processes that it starts are in its group, and are killed with it. */
interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly ownsGroup?: boolean
}

const killed = (child: ChildProcess, { ownsGroup = false }: RunOptions): void => {
  try {
    if (ownsGroup && child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    else child.kill("SIGKILL")
  } catch {
    // It has ended.
  }
}
const running = new Map<ChildProcess, RunOptions>()
process.once("exit", () => running.forEach((options, child) => killed(child, options)))

/** A process under test: its output so far, and its exit. */
export class Run {
  stdout = ""
  stderr = ""
  readonly ended: Promise<number | NodeJS.Signals>
  private constructor(
    readonly child: ChildProcess,
    readonly command: string,
    private readonly options: RunOptions
  ) {
    running.set(child, options)
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text))
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text))
    this.ended = new Promise((resume) => {
      child.once("close", (code, signal) => {
        running.delete(child)
        resume(signal ?? code ?? -1)
      })
      child.once("error", (cause) => {
        this.stderr += String(cause)
        running.delete(child)
        resume(-1)
      })
    })
  }

  static start(program: string, args: ReadonlyArray<string>, options: RunOptions = {}): Run {
    const { cwd = root, env, ownsGroup = false } = options
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"], detached: ownsGroup })
    // A process that ends before it has read its input is a result, not a fault of the test.
    child.stdin?.on("error", () => undefined)
    if (options.input !== undefined) child.stdin?.end(options.input)
    return new Run(child, [program, ...args].join(" "), options)
  }

  /** Whether the process has not ended. */
  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Waits for text on either output; fails at once with the output if the process ends without it. */
  async says(pattern: RegExp, withinMs = deadlineMs): Promise<RegExpMatchArray> {
    let over: number | string | undefined
    void this.ended.then((how) => (over = how))
    return until(
      `${this.command}: ${pattern}\n${this.stdout}\n${this.stderr}`,
      () => {
        const found = this.stdout.match(pattern) ?? this.stderr.match(pattern)
        if (found) return found
        if (over !== undefined) throw new Error(`${this.command} ended (${over}) before it said ${pattern}\n${this.stdout}\n${this.stderr}`)
        return undefined
      },
      withinMs
    )
  }

  /** Waits for the exit within a deadline; kills a process that hangs, and fails. */
  async end(withinMs = 4 * deadlineMs): Promise<{ readonly code: number | string; readonly stdout: string; readonly stderr: string }> {
    const timer = setTimeout(() => {
      this.stderr += `\n(killed by the test after ${withinMs} ms)`
      killed(this.child, this.options)
    }, withinMs)
    const code = await this.ended
    clearTimeout(timer)
    return { code, stdout: this.stdout, stderr: this.stderr }
  }

  /** Sends SIGKILL and waits for the exit. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.child.kill(signal)
    await this.ended
  }
}

/** Runs a program to its end; fails with its output unless it ends with 0, and where it hangs. */
export const run = async (
  program: string,
  args: ReadonlyArray<string>,
  { withinMs, ...options }: RunOptions & { readonly withinMs?: number } = {}
): Promise<string> => {
  const process = Run.start(program, args, options)
  if (options.input === undefined) process.child.stdin?.end()
  const { code, stderr, stdout } = await process.end(withinMs)
  if (code !== 0) throw new Error(`${process.command} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}
