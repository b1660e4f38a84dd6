import { afterAll, expect } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { testWith } from "./support/peers.ts"
import { Run, temporaryDirectory } from "./support/process.ts"

const data = temporaryDirectory()
afterAll(() => data.remove())

interface Result {
  readonly seed: number
  readonly complaints: ReadonlyArray<string>
  readonly events: ReadonlyArray<{ readonly fault: string; readonly pausesMs: Readonly<Record<string, number>>; readonly electedMs?: number }>
  readonly topicsCreated: number
  readonly commits: number
  readonly leaderAnswers: number
  readonly offsetReads: number
  readonly epochs: number
}

/** The short form of `./franz torture --candidates`: each fault once. */
testWith(
  ["etcd"],
  "M4, M5: candidates over etcd under kill -9 and SIGSTOP of the leader, kill -9 of etcd's leader, and an etcd without majority: one leader at a time, nothing acknowledged is lost, no client sees an error",
  async () => {
    const faults = ["kill", "stop", "etcd", "quorum"]
    const file = join(data.path, "candidates.json")
    const options = { events: faults.length, only: faults, "lasting-seconds": 3, "lease-ms": 3000, rate: 10, json: file }
    const args = ["--candidates", "--from-source", ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)]
    const { code, stderr, stdout } = await Run.start(process.execPath, ["scripts/torture.ts", ...args], { env: { TMPDIR: data.path } }).end(600_000)
    expect({ code, output: code === 0 ? "" : `${stdout}\n${stderr}` }).toEqual({ code: 0, output: "" })
    const result = JSON.parse(readFileSync(file, "utf8")) as Result
    console.log(`candidates: seed ${result.seed}, ${result.topicsCreated} topics, ${result.commits} commits, ${result.epochs} epochs`)
    expect(result.complaints).toEqual([])
    expect(result.events.map(({ fault }) => fault).toSorted()).toEqual(faults.toSorted())
    for (const { electedMs, fault, pausesMs } of result.events) {
      for (const name of ["CreateTopics", "OffsetCommit", "Produce"]) expect(pausesMs[name]).toBeGreaterThan(0)
      expect(electedMs === undefined).toBe(fault === "etcd" || fault === "quorum")
    }
    expect(result.epochs).toBeGreaterThan(2)
    for (const count of [result.topicsCreated, result.commits, result.leaderAnswers, result.offsetReads]) expect(count).toBeGreaterThan(10)
  },
  660_000
)
