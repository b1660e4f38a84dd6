/**
 * `./franz test [--quick | PATH…]`: brings what the tests need, then the check, every test on Bun, and the suites that must pass on Deno too. With --quick the check and what tells
 * most in two minutes; with paths, only those tests. Ends with `N passed, N failed`; exits 1 if anything failed, or if nothing ran.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { Glob } from "bun"
import { compileProgram } from "./build/bundle.ts"
import { runSteps } from "./check/step.ts"
import { type Count, counted, shortened } from "./test/count.ts"
import { batchesOf } from "./test/interop.ts"
import { type Batch, runInLanes } from "./test/lanes.ts"
import { preparePeers } from "./test/peers.ts"

const root = join(import.meta.dir, "..")
const words = process.argv.slice(2)
const isQuick = words.includes("--quick")
const paths = words.filter((word) => word !== "--quick")
const misspelt = paths.find((path) => path.startsWith("-"))
if (misspelt !== undefined || (isQuick && paths.length > 0)) {
  console.error(`franz test: ${misspelt === undefined ? "--quick chooses the tests itself and takes no paths." : `there is no option ${misspelt}.`}`)
  console.error("Usage: ./franz test [--quick | PATH…]")
  process.exit(2)
}
const counts: Array<Count> = []
const add = (count: Count) => counts.push(count)
/** One step that is no run of tests: it passed, or failed with this text. */
const addStep = (failure: string | undefined) =>
  add({ passed: failure === undefined ? 1 : 0, failed: failure === undefined ? 0 : 1, skipped: 0, failures: failure === undefined ? [] : [failure] })

const check = () =>
  runSteps(root, ({ name, ok, output, seconds }) => {
    console.log(`${ok ? "ok  " : "FAIL"} check: ${name} (${seconds.toFixed(1)} s)`)
    if (!ok) console.log(output)
    addStep(ok ? undefined : `check: ${name}\n${output}`)
  })

const bunTests = (name: string, args: ReadonlyArray<string>) => {
  const directory = mkdtempSync(join(tmpdir(), "franz-test-"))
  const report = join(directory, "report.xml")
  console.log(`\n== ${name}`)
  const run = spawnSync(process.execPath, ["test", "--timeout=120000", "--reporter=junit", `--reporter-outfile=${report}`, ...args], {
    cwd: root,
    stdio: "inherit"
  })
  add(counted(name, report, run.status))
  rmSync(directory, { recursive: true, force: true })
}

/** Two cores are enough for two at a time: these start processes and other systems, and wait for them. */
const lanes = Math.min(2, availableParallelism())
const interop = async (name: string, batches: ReadonlyArray<Batch>) => {
  console.log(`\n== ${name}`)
  const started = performance.now()
  const built = mkdtempSync(join(tmpdir(), "franz-test-"))
  const program = join(built, "franz")
  const { logs, success } = await compileProgram(root, "franz", program)
  if (success) process.env.FRANZ_TEST_PROGRAM = program
  else {
    const failure = `the program cannot be built:\n${logs.map(String).join("\n")}`
    console.log(`FAIL ${failure}`)
    addStep(failure)
  }
  for (const count of await runInLanes(root, batches, lanes)) add(count)
  rmSync(built, { recursive: true, force: true })
  console.log(`${batches.flat().length} files in ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

/** `node:test` suites (`*.node-test.ts`): the same file must pass on Bun and on Deno. */
const bothRuntimes = () => {
  const files = [...new Glob("test/**/*.node-test.ts").scanSync(root)].sort()
  bunTests(
    "for both runtimes, on Bun",
    files.map((file) => `./${file}`)
  )
  console.log("\n== for both runtimes, on Deno")
  const run = spawnSync(join(root, "node_modules/.bin/deno"), ["test", "-A", "--no-check", ...files], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    maxBuffer: 1 << 26
  })
  const output = `${run.stdout ?? ""}${run.stderr ?? ""}`
  console.log(output)
  const [, passed = "0", failed = "0"] = output.match(/(\d+) passed.*?\| (\d+) failed/) ?? []
  const ended = Number(failed) || (run.status === 0 ? 0 : 1)
  add({ passed: Number(passed), failed: ended, skipped: 0, failures: ended === 0 ? [] : [`for both runtimes, on Deno\n${output.trimEnd()}`] })
}

/** What --quick leaves out: suites that draw thousands of cases or simulate hours, and real processes but for one round trip through each kind of client. */
const slowUnits = [
  "test/interop/**",
  "test/simulation/**",
  "test/hostile/**",
  "test/adapters/log/crash-images/**",
  "test/adapters/log/compaction/**",
  "test/src/programs/**",
  "test/adapters/checksum/**",
  "test/adapters/compression/**",
  "test/adapters/journal/over-log.test.ts",
  "test/adapters/journal/etcd/simulated.test.ts",
  "test/adapters/log/file/**",
  "test/adapters/log/inspect/**",
  "test/adapters/log/scrub/**",
  "test/domain/partition/model.test.ts",
  "test/scripts/**",
  "test/adapters/log/memory/**",
  "test/adapters/transport/**",
  "test/domain/group/assignor/properties.test.ts",
  "test/src/broker/any-request.test.ts",
  "test/src/broker/cluster.test.ts",
  "test/src/broker/groups/**",
  "test/src/broker/image/checkpoint.test.ts",
  "test/src/broker/made-logs.test.ts",
  "test/src/broker/partition/crash.test.ts",
  "test/src/broker/replication/**",
  "test/src/broker/partition/upkeep/trimming.test.ts",
  "test/src/broker/topic-settings.test.ts",
  "test/src/broker/wide-request.test.ts",
  "test/src/client/faults/**",
  "test/src/client/consumer/**",
  "test/src/client/producer/idempotence.test.ts",
  "test/src/groups/convergence.test.ts",
  "test/src/leader/strangers.test.ts",
  "test/src/protocol/fuzz.test.ts",
  "test/src/protocol/round-trip.test.ts",
  "test/src/wire/link/link.test.ts",
  "test/src/wire/routing/elements.test.ts"
]
const quickInterop = [["test/interop/kcat.test.ts"], ["test/interop/readme.test.ts"]]

const prepare = () => {
  for (const failure of preparePeers(root)) {
    console.log(`FAIL ${failure}`)
    addStep(failure)
  }
}

if (paths.length > 0) {
  if (paths.some((path) => path.includes("interop") || path.includes("hostile"))) prepare()
  bunTests("tests", paths)
} else if (isQuick) {
  prepare()
  await check()
  bunTests("units and properties", ["--parallel=2", ...slowUnits.map((pattern) => `--path-ignore-patterns=${pattern}`)])
  await interop("interop: one round trip through each kind of client", quickInterop)
} else {
  prepare()
  await check()
  bunTests("units, properties, simulation", ["--parallel=2", "--path-ignore-patterns=test/interop/**"])
  const files = [...new Glob("test/interop/**/*.test.ts").scanSync(root)].sort()
  await interop("interop: real clients, real processes", batchesOf(files))
  bothRuntimes()
}

const sum = (what: "passed" | "failed" | "skipped") => counts.reduce((total, count) => total + count[what], 0)
const [passed, failed, skipped] = [sum("passed"), sum("failed"), sum("skipped")]
// Again at the end: the lines of a failure are thousands of lines above this one.
const failures = counts.flatMap((count) => count.failures)
if (failures.length > 0) console.log(`\n== what failed\n${failures.map((failure) => shortened(failure)).join("\n\n")}`)
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
