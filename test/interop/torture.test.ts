import { afterAll, expect } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { available, testWith } from "./support/peers.ts"
import { Run, temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

interface Result {
  readonly seed: number
  readonly clients: ReadonlyArray<string>
  readonly acknowledged: number
  readonly complaints: ReadonlyArray<string>
  readonly events: ReadonlyArray<{ readonly fault: string; readonly pausesMs: Readonly<Record<string, number>> }>
}

/** The short form of `./franz torture`: each fault that needs no root once, for a few seconds. */
testWith(
  [],
  "three replicas as processes under kill -9, SIGTERM, SIGSTOP, an empty disk, a cut and the loss of two brokers: nothing acknowledged is lost, twice or out of order",
  async () => {
    const kinds = [...(available("confluent") ? ["librdkafka"] : []), ...(available("java") ? ["java"] : []), "ours"]
    const faults = ["kill", "term", "stop", "wipe", "cut", "down"]
    const file = join(data.path, "torture.json")
    const options = { events: faults.length, only: faults, clients: kinds, "lasting-seconds": 3, partitions: 3, rate: 15, json: file }
    const args = ["--from-source", ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)]
    const { code, stderr, stdout } = await Run.start(process.execPath, ["scripts/torture.ts", ...args], { env: { TMPDIR: data.path } }).end(600_000)
    expect({ code, output: code === 0 ? "" : `${stdout}\n${stderr}` }).toEqual({ code: 0, output: "" })
    const result = JSON.parse(readFileSync(file, "utf8")) as Result
    console.log(`torture: seed ${result.seed}, ${result.acknowledged} acknowledged messages`)
    expect(result).toMatchObject({ clients: kinds, complaints: [] })
    expect(result.events.map(({ fault }) => fault).toSorted()).toEqual(faults.toSorted())
    expect(result.acknowledged).toBeGreaterThan(100)
    for (const { pausesMs } of result.events) for (const kind of kinds) expect(pausesMs[kind]).toBeGreaterThan(0)
  },
  660_000
)
