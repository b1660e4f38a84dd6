import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import type { AnyApi } from "../../src/protocol/type/wire.ts"
import { requestElementsMax } from "../../src/wire/routing/request-elements.ts"
import { pause, Raw, requestBytes } from "./raw.ts"
import { widest } from "./widest.ts"

/** One wide request. */
interface StallCase {
  readonly name: string
  readonly frame: () => Uint8Array
}
interface Stall {
  readonly requestBytes: number
  readonly answerBytes: number
  readonly answeredMs: number
  /** The longest wait of the other connection, ms; and the most CPU time that the node's main thread took in one wait. */
  readonly waitMs: number
  readonly cpuMs: number
  /** The node's highest resident memory meanwhile, MiB; 0 without its process id. */
  readonly peakMiB: number
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
type Probe = () => Promise<Pick<Stall, "waitMs" | "cpuMs">>
export const startProbe = (port: number, pid: number): Probe => {
  const child = spawn(process.execPath, [join(import.meta.dir, "../..", "scripts/attack/stall-probe.ts"), String(port), String(pid)], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  process.once("exit", () => child.kill())
  return () =>
    new Promise((resolve) => {
      child.stdout.once("data", (line: Uint8Array) => resolve(JSON.parse(String(line))))
      child.stdin.write("\n")
    })
}

/** Begins to note the highest resident memory of a process anew. */
const forgetPeak = (pid: number) => {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5")
  } catch {
    // Without the right to that, the peak is the one since the process started.
  }
}
const peakOf = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

/** Sends a request on `atOnce` connections, and waits until all are answered or closed. */
export const measureStall = async (port: number, probe: Probe, frame: Uint8Array, atOnce = 1, pid = 0): Promise<Stall> => {
  forgetPeak(pid)
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
  return { requestBytes: frame.length, answerBytes, answeredMs, ...(await probe()), peakMiB: peakOf(pid), closed }
}
