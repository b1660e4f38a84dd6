import { afterAll, expect } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { available, testWith } from "./support/peers.ts"
import { Run, temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

interface Result {
  readonly seed: number
  readonly complaints: ReadonlyArray<string>
  readonly acknowledged: number
  readonly events: ReadonlyArray<{ readonly fault: string; readonly pausesMs: Readonly<Record<string, number>>; readonly coordinatedMs: number }>
  readonly groups: ReadonlyArray<{ readonly kind: string; readonly processed: number; readonly commits: number; readonly reads: number }>
}

/** The short form of `./franz torture --coordinators`: one kill. */
testWith(
  [],
  "groups of librdkafka and our library over kill -9 of the broker that coordinates them: no committed offset goes back, no rebalance, every message once",
  async () => {
    const kinds = [...(available("confluent") ? ["librdkafka"] : []), "ours"]
    const file = join(data.path, "coordinators.json")
    const options = { events: 1, only: "kill", clients: kinds, json: file }
    const args = ["--coordinators", "--from-source", ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)]
    const { code, stderr, stdout } = await Run.start(process.execPath, ["scripts/torture.ts", ...args], { env: { TMPDIR: data.path } }).end(600_000)
    expect({ code, output: code === 0 ? "" : `${stdout}\n${stderr}` }).toEqual({ code: 0, output: "" })
    const result = JSON.parse(readFileSync(file, "utf8")) as Result
    expect(result.complaints).toEqual([])
    expect(result.groups.map(({ kind }) => kind)).toEqual(kinds)
    const [event] = result.events
    expect([result.events.length, event?.fault]).toEqual([1, "kill"])
    expect(event?.coordinatedMs).toBeGreaterThan(0)
    for (const { commits, kind, processed, reads } of result.groups) {
      expect(event?.pausesMs[kind]).toBeGreaterThan(0)
      expect(processed).toBeGreaterThanOrEqual(result.acknowledged)
      for (const count of [processed, commits, reads]) expect(count).toBeGreaterThan(3)
    }
  },
  660_000
)
