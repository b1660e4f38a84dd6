/**
 * `bun scripts/stall.ts PORT [--pid PID] [--at-once N] [API …]`: how long another connection waits for ApiVersions while a node works on one request (or N at once) as wide as it allows.
 * One line for each array of each API that the node lists, in its first and last version, with equal and with distinct elements.
 */
import { ApiVersions } from "../src/protocol/message/18-api-versions.ts"
import { apiByKey } from "../src/protocol/message/registry.ts"
import { Raw } from "./attack/raw.ts"
import { measureStall, stallCases, startProbe } from "./attack/stall.ts"

const words = process.argv.slice(2)
const option = (name: string, absent: number): number => {
  const at = words.indexOf(name)
  return at < 0 ? absent : Number(words.splice(at, 2)[1])
}
const atOnce = option("--at-once", 1)
const pid = option("--pid", 0)
const port = Number(words.shift())
const ask = await Raw.open(port)
const { apiKeys } = (await ask?.call(ApiVersions, 0, {})) ?? { apiKeys: [] }
const probe = startProbe(port, pid)
for (const { apiKey, maxVersion, minVersion } of apiKeys) {
  const api = apiByKey(apiKey)
  if (api === undefined || (words.length > 0 && !words.includes(api.name))) continue
  for (const { frame, name } of stallCases(api, minVersion, maxVersion)) {
    const bytes = frame()
    const stall = await measureStall(port, probe, bytes, atOnce, pid)
    const figures = [
      `${stall.peakMiB.toFixed(0)} MiB`.padStart(9),
      `${stall.cpuMs.toFixed(0)} ms`.padStart(8),
      `waited ${stall.waitMs.toFixed(0)} ms`.padStart(15),
      `in ${stall.answeredMs.toFixed(0)} ms`.padStart(12),
      `${(stall.requestBytes / 1e6).toFixed(1)} MB`.padStart(9),
      stall.closed > 0 ? `${stall.closed} closed` : `${(stall.answerBytes / 1e6).toFixed(1)} MB answered`
    ]
    console.log(`${figures.join("  ")}  ${name}`)
  }
}
process.exit(0)
