/**
 * `bun scripts/attack/stall.ts PORT [--at-once N] [API …]`: how long another connection waits for ApiVersions while a node works on one request (or N at once) as wide as it allows.
 * One line for each array of each API that the node lists, in its first and last version, with equal and with distinct elements.
 */
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { ApiVersions } from "../../src/protocol/message/18-api-versions.ts"
import { apiByKey } from "../../src/protocol/message/registry.ts"
import type { AnyApi } from "../../src/protocol/type/wire.ts"
import { requestElementsMax } from "../../src/wire/request-elements.ts"
import { pause, Raw, requestBytes } from "./raw.ts"
import { widest } from "./widest.ts"

/** One wide request. */
export interface StallCase {
  readonly name: string
  readonly frame: () => Uint8Array
}
export interface Stall {
  readonly requestBytes: number
  readonly answerBytes: number
  readonly answeredMs: number
  /** The longest wait of the other connection, ms. */
  readonly worstMs: number
  readonly closed: number
}

const answeredWithinMs = 30_000
/** Elements that the parts around the wide array may take. */
const around = 10

/** The wide requests of an API as it is served from `first` to `last`. */
export const stallCases = (api: AnyApi, first: number, last: number): ReadonlyArray<StallCase> => {
  const versions = [...new Set([Math.max(first, api.versions[0]), last])]
  const count = requestElementsMax(api.key) - around
  return versions.flatMap((version) =>
    widest(api, version).flatMap(({ draft, path }) =>
      [true, false].map((distinct) => ({
        name: `${api.name} ${version} ${path}${distinct ? "" : " (equal)"}`,
        // Every request shall have an answer: a Produce with acks=0 has none.
        frame: () => requestBytes(api, version, { ...(draft(count, distinct) as object), ...(api.key === Produce.key ? { acks: -1 } : {}) } as never)
      }))
    )
  )
}

/** Asks for the longest wait since it was last asked. */
export type Probe = () => Promise<number>
export const startProbe = (port: number): Probe => {
  const worker = new Worker(new URL("./stall-probe.ts", import.meta.url).href)
  worker.postMessage({ port })
  return () =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data)
      worker.postMessage("worst")
    })
}

/** Sends a request on `atOnce` connections, and waits until all are answered or closed. */
export const measureStall = async (port: number, probe: Probe, frame: Uint8Array, atOnce = 1): Promise<Stall> => {
  const raws = await Promise.all(Array.from({ length: atOnce }, () => Raw.open(port)))
  await probe()
  const at = performance.now()
  let answerBytes = 0
  let closed = 0
  await Promise.all(
    raws.map(async (raw) => {
      if (raw === undefined) return void closed++
      const answer = raw.frame()
      await raw.send(frame)
      await Promise.race([answer, pause(answeredWithinMs)]).then(
        (frame) => (frame === undefined ? closed++ : (answerBytes += frame.length)),
        () => closed++
      )
      raw.close()
    })
  )
  const answeredMs = performance.now() - at
  return { requestBytes: frame.length, answerBytes, answeredMs, worstMs: await probe(), closed }
}

const main = async () => {
  const words = process.argv.slice(2)
  const at = words.indexOf("--at-once")
  const atOnce = at < 0 ? 1 : Number(words.splice(at, 2)[1])
  const port = Number(words.shift())
  const ask = await Raw.open(port)
  const { apiKeys } = (await ask?.call(ApiVersions, 0, {})) ?? { apiKeys: [] }
  const probe = startProbe(port)
  for (const { apiKey, maxVersion, minVersion } of apiKeys) {
    const api = apiByKey(apiKey)
    if (api === undefined || (words.length > 0 && !words.includes(api.name))) continue
    for (const { frame, name } of stallCases(api, minVersion, maxVersion)) {
      const bytes = frame()
      const stall = await measureStall(port, probe, bytes, atOnce)
      const figures = [
        `${stall.worstMs.toFixed(0)} ms`.padStart(8),
        `in ${stall.answeredMs.toFixed(0)} ms`.padStart(12),
        `${(stall.requestBytes / 1e6).toFixed(1)} MB`.padStart(9),
        stall.closed > 0 ? `${stall.closed} closed` : `${(stall.answerBytes / 1e6).toFixed(1)} MB answered`
      ]
      console.log(`${figures.join("  ")}  ${name}`)
    }
  }
  process.exit(0)
}
if (import.meta.main) await main()
