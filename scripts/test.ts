/**
 * `./franz test [--quick | PATH…]`: brings what the tests need, then the check, every test on Bun, and the suites that must pass on Deno too. With --quick the check and what tells
 * most in two minutes; with paths, only those tests. Ends with `N passed, N failed`; exits 1 if anything failed, or if nothing ran.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Glob } from "bun"
import { checkSteps, runStep } from "./check/step.ts"
import { preparePeers } from "./test/peers.ts"

interface Count {
  passed: number
  failed: number
  skipped: number
}
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
const total: Count = { passed: 0, failed: 0, skipped: 0 }
const add = ({ passed, failed, skipped }: Count) => {
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}

const check = () => {
  for (const step of checkSteps) {
    const { ok, seconds, output } = runStep(root, step)
    console.log(`${ok ? "ok  " : "FAIL"} check: ${step.name} (${seconds.toFixed(1)} s)`)
    if (!ok) console.log(output)
    add({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 })
  }
}

/** A run that crashed has no report, or one without failures: it counts as one failure, so that nothing passes by falling over. */
const counted = (report: string, status: number | null): Count => {
  let text = ""
  try {
    text = readFileSync(report, "utf8")
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const head = text.match(/<testsuites[^>]*>/)?.[0] ?? ""
  const number = (name: string) => Number(head.match(new RegExp(`\\b${name}="(\\d+)"`))?.[1] ?? 0)
  const failed = number("failures") + number("errors")
  const skipped = number("skipped") || [...text.matchAll(/<skipped/g)].length
  return { passed: number("tests") - failed - skipped, failed: failed === 0 && status !== 0 ? 1 : failed, skipped }
}

const bunTests = (name: string, args: ReadonlyArray<string>) => {
  const directory = mkdtempSync(join(tmpdir(), "franz-test-"))
  const report = join(directory, "report.xml")
  console.log(`\n== ${name}`)
  const run = spawnSync(process.execPath, ["test", "--timeout=120000", "--reporter=junit", `--reporter-outfile=${report}`, ...args], {
    cwd: root,
    stdio: "inherit"
  })
  add(counted(report, run.status))
  rmSync(directory, { recursive: true, force: true })
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
  add({ passed: Number(passed), failed: Number(failed) || (run.status === 0 ? 0 : 1), skipped: 0 })
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
  "test/src/broker/cluster.test.ts",
  "test/src/broker/image/checkpoint.test.ts",
  "test/src/broker/replication/**",
  "test/src/broker/partition/upkeep/trimming.test.ts",
  "test/src/broker/topic-settings.test.ts",
  "test/src/broker/wide-request.test.ts",
  "test/src/client/faults/**",
  "test/src/client/consumer/consumer.test.ts",
  "test/src/client/consumer/recreated.test.ts",
  "test/src/client/producer/idempotence.test.ts",
  "test/src/protocol/fuzz.test.ts",
  "test/src/protocol/round-trip.test.ts",
  "test/src/wire/link/link.test.ts",
  "test/src/wire/routing/elements.test.ts"
]
const quickInterop = ["test/interop/readme.test.ts", "test/interop/kcat.test.ts"]

const prepare = () => {
  const failures = preparePeers(root)
  for (const failure of failures) console.log(`FAIL ${failure}`)
  add({ passed: 0, failed: failures.length, skipped: 0 })
}

if (paths.length > 0) {
  if (paths.some((path) => path.includes("interop") || path.includes("hostile"))) prepare()
  bunTests("tests", paths)
} else if (isQuick) {
  prepare()
  check()
  bunTests("units and properties", ["--parallel=2", ...slowUnits.map((pattern) => `--path-ignore-patterns=${pattern}`)])
  bunTests("interop: one round trip through each kind of client", quickInterop)
} else {
  prepare()
  check()
  bunTests("units, properties, simulation", ["--parallel=2", "--path-ignore-patterns=test/interop/**"])
  // These start processes and other systems: one at a time, so that two cores are enough.
  bunTests("interop: real clients, real processes", ["test/interop"])
  bothRuntimes()
}

console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
