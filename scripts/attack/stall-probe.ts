/** A worker that asks ApiVersions over one connection, again and again; each message to it is answered with the longest wait since the last one, ms. */
import { ApiVersions } from "../../src/protocol/message/18-api-versions.ts"
import { pause, Raw } from "./raw.ts"

declare const self: Worker

const everyMs = 3
let worstMs = 0
let askedAt: number | undefined

self.onmessage = ({ data }: MessageEvent<{ readonly port: number } | "worst">) => {
  if (data !== "worst") return void probe(data.port)
  self.postMessage(Math.max(worstMs, askedAt === undefined ? 0 : performance.now() - askedAt))
  worstMs = 0
}

const probe = async (port: number) => {
  const raw = await Raw.open(port)
  if (raw === undefined) throw new Error(`no connection to port ${port}`)
  for (;;) {
    askedAt = performance.now()
    await raw.call(ApiVersions, 0, {})
    worstMs = Math.max(worstMs, performance.now() - askedAt)
    askedAt = undefined
    await pause(everyMs)
  }
}
