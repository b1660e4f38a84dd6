/** What the tests of test/interop need besides this repository: foreign clients and Apache Kafka itself. Brought before the first test, so that no test waits for a download. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { toolsAreThere } from "../package/tools.ts"

const confluentKafka = "confluent-kafka==2.16.1"
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "franz-interop")
const venv = join(cache, "venv")
const venvPython = join(venv, "bin/python")

const succeeds = (command: string, ...args: ReadonlyArray<string>): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0
const hasProgram = (name: string): boolean => Bun.which(name) !== null

/** Debian's package for each program that some test starts. */
const packages: ReadonlyArray<readonly [program: string, debian: string]> = [
  ["kcat", "kcat"],
  ["java", "default-jre-headless"],
  ["mvn", "maven"],
  ["tmux", "tmux"],
  ["python3", "python3-venv"]
]

/** One thing that is brought: what the line of progress calls it, whether it is there already, and how it comes. */
interface Step {
  readonly name: string
  readonly isThere: () => boolean
  readonly commands: ReadonlyArray<ReadonlyArray<string>>
}

const debianPackages = (): Step => {
  const missing = packages.filter(([program]) => !hasProgram(program)).map(([, debian]) => debian)
  return {
    name: `Debian's ${missing.join(", ")}`,
    isThere: () => missing.length === 0,
    commands: [
      ["apt-get", "update", "-q"],
      ["apt-get", "install", "-yq", "--no-install-recommends", ...missing]
    ]
  }
}

const hasConfluentKafka = (python: string): boolean => succeeds(python, "-c", "import confluent_kafka")

const confluentKafkaStep: Step = {
  name: `${confluentKafka.replace("==", " ")} for Python, about 4 MB`,
  isThere: () => hasConfluentKafka(process.env.FRANZ_PYTHON ?? venvPython),
  commands: [
    ["python3", "-m", "venv", venv],
    [venvPython, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", confluentKafka]
  ]
}

const kafkaStep = (root: string): Step => ({
  name: "Apache Kafka's jars, about 120 MB",
  isThere: () => succeeds("bash", join(root, "scripts/kafka-peer.sh"), "ready"),
  commands: [["bash", join(root, "scripts/kafka-peer.sh"), "classpath"]]
})

const classesStep = (root: string): Step => ({
  name: "the classes of Kafka's tools into an archive, 30 MB",
  isThere: () => succeeds("bash", join(root, "scripts/kafka-peer.sh"), "archived"),
  commands: [[process.execPath, join(root, "scripts/test/classes.ts")]]
})

const packageStep = (root: string): Step => ({
  name: "Node 20, 22 and 24, and the tools that try the package, about 250 MB",
  isThere: toolsAreThere,
  commands: [[process.execPath, join(root, "scripts/package/tools.ts")]]
})

const etcdStep = (root: string): Step => ({
  name: "etcd of Debian's package etcd-server, about 8 MB",
  isThere: () => succeeds("bash", join(root, "scripts/etcd-peer.sh"), "ready"),
  commands: [["bash", join(root, "scripts/etcd-peer.sh"), "bring"]]
})

/** Runs the commands of a step. Returns undefined, or what the command that failed printed. */
const failureOf = (step: Step): string | undefined => {
  for (const [program = "", ...args] of step.commands) {
    const run = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } })
    if (run.status !== 0) return `${program} ${args.join(" ")} ended with ${run.status ?? run.signal}\n${run.stdout ?? ""}${run.stderr ?? ""}`.trimEnd()
  }
  return undefined
}

const bring = (step: Step): string | undefined => {
  if (step.isThere()) return undefined
  console.log(`test: bringing ${step.name} (once) …`)
  const started = performance.now()
  const failure = failureOf(step)
  if (failure === undefined) console.log(`test: done in ${((performance.now() - started) / 1000).toFixed(0)} s`)
  return failure
}

/**
 * Brings the foreign clients that the interop tests need, with a line of progress for each download, and sets FRANZ_PYTHON. Debian's packages are installed only where the
 * peers are required (FRANZ_REQUIRE_PEERS, as in CI); elsewhere the tests that need a missing program are skipped, and a line says which package brings it.
 * Returns one text for each required peer that could not be brought.
 */
export const preparePeers = (root: string): ReadonlyArray<string> => {
  const required = process.env.FRANZ_REQUIRE_PEERS !== undefined
  const failures: Array<string> = []
  const attempt = (step: Step, without: string) => {
    const failure = bring(step)
    if (failure === undefined) return
    if (required) failures.push(`${step.name} could not be brought: ${failure}`)
    else console.log(`test: ${step.name} could not be brought; ${without} are skipped.\n${failure.split("\n").slice(-3).join("\n")}`)
  }
  if (required) attempt(debianPackages(), "tests with foreign clients")
  for (const [program, debian] of packages)
    if (!hasProgram(program)) console.log(`test: ${program} is missing, tests that need it are skipped (Debian: apt-get install ${debian}).`)
  if (hasProgram("python3")) {
    // A virtual environment that was left half made has a Python without pip.
    if (existsSync(venv) && !confluentKafkaStep.isThere()) rmSync(venv, { recursive: true, force: true })
    mkdirSync(cache, { recursive: true })
    attempt(confluentKafkaStep, "tests with confluent-kafka")
    if (process.env.FRANZ_PYTHON === undefined && hasConfluentKafka(venvPython)) process.env.FRANZ_PYTHON = venvPython
  }
  if (required || hasProgram("apt-get")) attempt(etcdStep(root), "tests of the journal over etcd")
  if (hasProgram("npm")) attempt(packageStep(root), "tests of the package")
  if (hasProgram("java") && hasProgram("mvn")) {
    attempt(kafkaStep(root), "tests with Java's clients and Apache Kafka")
    // Without it the tools work, and start in three times the time.
    const failure = kafkaStep(root).isThere() ? bring(classesStep(root)) : undefined
    if (failure !== undefined) console.log(`test: Kafka's tools start without stored classes.\n${failure.split("\n").slice(-3).join("\n")}`)
    // Kafka itself lives for seconds here: the second compiler costs more than it gives.
    process.env.KAFKA_PEER_FLAGS ??= "-XX:TieredStopAtLevel=1"
  }
  return failures
}
