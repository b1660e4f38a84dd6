import { afterAll, expect } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { franz, franzDoes, ready } from "./support/franz.ts"
import { consoleProduce, javaTool, linesOf, testWith } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

const reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
const data = temporaryDirectory()
afterAll(() => data.remove())

interface LoggedPartition {
  readonly partition: string
  readonly size: number
  readonly offsetLag: number
  readonly isFuture: boolean
}

testWith(
  ["java"],
  "Kafka's tools move a log to another directory of its broker with a throttle, and verify it; kafka-log-dirs shows the copy, and no record is lost",
  async () => {
    const directories = ["a", "b"].map((name) => join(data.path, name))
    const node = await ready(franz("up", "--port", "0", "--data", directories.join(",")))
    const at = ["--bootstrap-server", node.address]
    const records = (from: number, to: number): ReadonlyArray<string> => Array.from({ length: to - from }, (_, n) => `record-${from + n}-${"v".repeat(1000)}`)
    const put = (from: number, to: number) => consoleProduce(node.address, "orders", `${records(from, to).join("\n")}\n`)
    const described = async (): Promise<ReadonlyArray<LoggedPartition & { readonly logDir: string }>> => {
      const said = linesOf(await javaTool("org.apache.kafka.tools.LogDirsCommand", [...at, "--describe", "--topic-list", "orders"])).find((line) =>
        line.startsWith("{")
      )
      const { brokers } = JSON.parse(said ?? "{}") as {
        readonly brokers: ReadonlyArray<{ readonly logDirs: ReadonlyArray<{ readonly logDir: string; readonly partitions: ReadonlyArray<LoggedPartition> }> }>
      }
      return brokers.flatMap(({ logDirs }) => logDirs.flatMap(({ logDir, partitions }) => partitions.map((each) => ({ ...each, logDir }))))
    }
    await franzDoes(["topic", "create", "orders", "--leader", node.address])
    await put(0, 1500)
    const from = (await described())[0]?.logDir
    const to = directories.map((each) => `${each}/broker-0`).find((each) => each !== from) as string
    const plan = join(data.path, "plan.json")
    writeFileSync(plan, JSON.stringify({ version: 1, partitions: [{ topic: "orders", partition: 0, replicas: [0], log_dirs: [to] }] }))
    const run = (...args: ReadonlyArray<string>) => javaTool(reassign, [...at, "--reassignment-json-file", plan, ...args])
    expect(await run("--execute", "--replica-alter-log-dirs-throttle", "500")).toContain(
      `Successfully started moving log directory to ${to} for replica orders-0 with broker 0`
    )
    const copying = await described()
    expect(copying.map(({ isFuture, logDir }) => [logDir === to, isFuture]).toSorted()).toEqual([
      [false, false],
      [true, true]
    ])
    expect(copying.find(({ isFuture }) => isFuture)?.offsetLag).toBeGreaterThan(0)
    expect(await franzDoes(["cluster", "dirs", "--logs", "--leader", node.address])).toMatch(/ orders-0 +\d+ +copy, \d+ behind/)
    expect(await run("--verify", "--preserve-throttles")).toContain("Reassignment of replica orders-0-0 is still in progress")
    await put(1500, 1600)
    // The tools take long on a busy machine: the move ends when its throttle does.
    await franzDoes(["broker", "config", "0", "--set", "replica.alter.log.dirs.io.max.bytes.per.second=10000000", "--leader", node.address])
    let said = ""
    await until("the log is moved", async () => {
      said = await run("--verify")
      return said.includes("completed successfully")
    })
    expect(said).toContain("Reassignment of replica orders-0-0 completed successfully")
    expect((await described()).map(({ isFuture, logDir, offsetLag }) => [logDir, isFuture, offsetLag])).toEqual([[to, false, 0]])
    await put(1600, 1700)
    const found = linesOf(await franzDoes(["consume", "orders", "--from", "start", "--exit-at-end", "--leader", node.address]))
    expect(found.length).toBe(1700)
    for (const record of records(0, 1700)) expect(found.some((line) => line.includes(record))).toBe(true)
    await node.process.kill("SIGTERM")
  },
  600_000
)
