import { test } from "bun:test"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { Run, root, run } from "./process.ts"

const has = (command: string, ...args: ReadonlyArray<string>): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0
const peer = join(root, "scripts/kafka-peer.sh")
export const python = process.env.FRANZ_PYTHON ?? "python3"

/** Foreign clients that a machine may lack. In CI (FRANZ_REQUIRE_PEERS) a missing one fails the test instead of skipping it. */
const there = {
  kcat: () => has("kcat", "-V"),
  // Tests never wait for a download of the jars: `./franz test` downloads them.
  java: () => has("bash", peer, "ready"),
  openssl: () => has("openssl", "version"),
  node: () => has("node", "--version"),
  etcd: () => has("bash", join(root, "scripts/etcd-peer.sh"), "ready"),
  confluent: () => has(python, "-c", "import confluent_kafka")
}
const known = new Map<string, boolean>()
export const available = (name: keyof typeof there): boolean => {
  const found = known.get(name) ?? there[name]()
  if (!known.has(name) && !found) console.log(`skipped: tests with ${name}, which this machine lacks`)
  known.set(name, found)
  return found
}

/** Whether a peer that is missing fails its tests. */
export const isRequired = process.env.FRANZ_REQUIRE_PEERS !== undefined

/** A test that needs a foreign client. */
export const testWith = (needs: ReadonlyArray<keyof typeof there>, name: string, body: () => Promise<void>, timeoutMs = 300_000): void => {
  if (isRequired || needs.every(available)) test(name, body, timeoutMs)
  else test.skip(name, body)
}

/** Runs kcat to its end, and returns what it printed. It waits for metadata and offsets for a minute: its default is 5 s. */
export const runKcat = (args: ReadonlyArray<string>, options: { readonly input?: string } = {}): Promise<string> => run("kcat", ["-m", "60", ...args], options)

/** One of Kafka's own Java tools, by class. */
export const javaTool = (className: string, args: ReadonlyArray<string>, input?: string): Promise<string> =>
  run("bash", [peer, "tool", className, ...args], { env: { KAFKA_PEER_TOOL_HEAP: "256m" }, ...(input === undefined ? {} : { input }) })
export const startJavaTool = (className: string, args: ReadonlyArray<string>): Run => Run.start("bash", [peer, "tool", className, ...args])
/**
 * Sends lines with Kafka's console producer. Its own defaults are 1,500 ms for a request and three retries, and it ends with 0 where a record then failed: a broker on a busy machine
 * may take longer.
 */
export const consoleProduce = (address: string, topic: string, input: string, ...more: ReadonlyArray<string>): Promise<string> =>
  javaTool(
    "org.apache.kafka.tools.ConsoleProducer",
    ["--bootstrap-server", address, "--topic", topic, "--request-timeout-ms", "60000", "--message-send-max-retries", "100", ...more],
    input
  )
export const consoleConsumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
export const dumpLogSegments = "org.apache.kafka.tools.DumpLogSegments"

/** The 1,244 lines of the protocol vectors: real-life sized JSON texts, no two alike. */
export const lines: ReadonlyArray<string> = gunzipSync(readFileSync(join(root, "test/conformance/data/messages.jsonl.gz")))
  .toString("utf8")
  .trimEnd()
  .split("\n")
/** The texts in sorted order for comparison, since partitions have no common order. */
export const sorted = (texts: Iterable<string>): ReadonlyArray<string> => [...texts].sort()
export const linesOf = (output: string): ReadonlyArray<string> => output.split("\n").filter((line) => line !== "")
