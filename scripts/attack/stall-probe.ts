/**
 * `bun scripts/attack/stall-probe.ts PORT PID`: asks ApiVersions over one connection, again and again. Each line on stdin is answered with a line of JSON: the longest wait since the
 * last one, ms, and the most CPU time that the node's main thread took during one wait, ms (0 without its process id), which does not depend on what else the machine does.
 */
import { readFileSync } from "node:fs"
import { ApiVersions } from "../../src/protocol/message/18-api-versions.ts"
import { pause, Raw } from "./raw.ts"

const everyMs = 3
let worst = { waitMs: 0, cpuMs: 0 }
let begun: { readonly at: number; readonly cpuMs: number } | undefined
const [port = 0, nodePid = 0] = process.argv.slice(2).map(Number)

/** CPU time of the main thread so far, ms. */
const cpuMs = (): number => {
  try {
    return Number(readFileSync(`/proc/${nodePid}/task/${nodePid}/schedstat`, "utf8").split(" ")[0]) / 1e6
  } catch {
    return 0
  }
}
const note = () => {
  if (begun === undefined) return
  worst = { waitMs: Math.max(worst.waitMs, performance.now() - begun.at), cpuMs: Math.max(worst.cpuMs, cpuMs() - begun.cpuMs) }
}

process.stdin.on("data", () => {
  note()
  console.log(JSON.stringify(worst))
  worst = { waitMs: 0, cpuMs: 0 }
})

const raw = await Raw.open(port)
if (raw === undefined) throw new Error(`no connection to port ${port}`)
for (;;) {
  begun = { at: performance.now(), cpuMs: cpuMs() }
  await raw.call(ApiVersions, 0, {})
  note()
  begun = undefined
  await pause(everyMs)
}
