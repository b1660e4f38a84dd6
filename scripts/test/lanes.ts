import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Count, counted } from "./count.ts"

/** Files of tests that one process runs, one after the other. */
export type Batch = ReadonlyArray<string>

/** Ends a process that hangs outside of its tests, which have deadlines of their own. */
const batchMs = 30 * 60_000

/** Runs a batch, then prints its whole output: the lines of two batches never mix. */
const runBatch = async (root: string, batch: Batch, print: (text: string) => void): Promise<Count> => {
  const directory = mkdtempSync(join(tmpdir(), "franz-test-"))
  const [output, report] = [join(directory, "output"), join(directory, "report.xml")]
  const descriptor = openSync(output, "a")
  const started = performance.now()
  const child = Bun.spawn(
    [process.execPath, "test", "--timeout=120000", "--reporter=junit", `--reporter-outfile=${report}`, ...batch.map((file) => `./${file}`)],
    { cwd: root, env: process.env, stdin: "ignore", stdout: descriptor, stderr: descriptor, timeout: batchMs, killSignal: "SIGKILL" }
  )
  await child.exited
  closeSync(descriptor)
  const seconds = (performance.now() - started) / 1000
  // With the processes that it started and waited for.
  const cpuSeconds = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6
  const printed = readFileSync(output, "utf8").trimEnd()
  print(printed)
  if (child.signalCode !== null) print(`FAIL ${batch.join(", ")}: ended by ${child.signalCode} after ${seconds.toFixed(0)} s`)
  print(`-- ${batch.join(", ")}: ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of processor time\n`)
  const count = counted(batch.join(", "), report, child.exitCode, printed)
  rmSync(directory, { recursive: true, force: true })
  return count
}

/** Runs batches, so many at a time, each in a process of its own; what each counted. */
export const runInLanes = async (
  root: string,
  batches: ReadonlyArray<Batch>,
  lanes: number,
  print: (text: string) => void = console.log
): Promise<ReadonlyArray<Count>> => {
  const waiting = [...batches]
  const counts: Array<Count> = []
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) counts.push(await runBatch(root, next, print))
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return counts
}
