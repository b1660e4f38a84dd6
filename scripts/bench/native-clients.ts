import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { temporaryDirectory } from "./process.ts"

const sources = join(import.meta.dir, "client")
/** How a client is started, or why it is not measured here. */
type NativeClient = ReadonlyArray<string> | { readonly lacks: string }

const builtIn = (lacks: string, build: (to: string) => { readonly status: number | null }): NativeClient => {
  const to = join(temporaryDirectory().path, "client")
  return build(to).status === 0 ? [to] : { lacks }
}

/** Builds the client of librdkafka: needs a C compiler and librdkafka-dev. CPATH and LIBRARY_PATH may name other places. */
export const buildLibrdkafka = (): NativeClient =>
  builtIn("a C compiler and librdkafka-dev are needed", (to) =>
    spawnSync("cc", ["-O2", join(sources, "librdkafka.c"), "-o", to, "-lrdkafka"], { stdio: "ignore" })
  )

/** Builds the client of franz-go: needs Go, which brings the module once. */
export const buildFranzGo = (): NativeClient =>
  builtIn("Go is needed, and its module proxy", (to) => spawnSync("go", ["build", "-o", to, "."], { cwd: join(sources, "franz-go"), stdio: "ignore" }))

const confluentName = "@confluentinc/kafka-javascript"
/**
 * Bundles the client of confluent-kafka-javascript for Node. The package is looked for in NODE_PATH, and must load: a
 * script of its installation brings or builds its native part.
 */
export const buildConfluent = (): NativeClient => {
  const loaded = spawnSync("node", ["-e", `require(${JSON.stringify(confluentName)})`], { encoding: "utf8" })
  if (loaded.error !== undefined) return { lacks: "Node is needed" }
  const cause = loaded.stderr.split("\n").find((line) => line.startsWith("Error:")) ?? "Node ended with an error"
  if (loaded.status !== 0) return { lacks: `${confluentName}, in a directory of NODE_PATH, does not load (${cause.trim()})` }
  const to = join(temporaryDirectory().path, "confluent.mjs")
  const bundled = spawnSync(
    process.execPath,
    ["build", "--target=node", `--outfile=${to}`, join(import.meta.dir, "../..", "scripts/bench/client/confluent.ts")],
    { stdio: "ignore" }
  )
  return bundled.status === 0 ? ["node", to] : { lacks: "its program cannot be bundled" }
}
