import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Node, up } from "./support/franz.ts"
import { testWith } from "./support/peers.ts"
import { root, run, temporaryDirectory } from "./support/process.ts"

const readme = readFileSync(join(root, "README.md"), "utf8")
/** The code blocks of a section, by their language. */
const blocks = (section: string, language: string): ReadonlyArray<string> => {
  const text = readme.split(/^## /m).find((part) => part.startsWith(section)) ?? ""
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, code = ""]) => code)
}

/** Runs the README from the top: each section finds the state that the one before left. */
describe("the README, in its order", () => {
  const data = temporaryDirectory()
  let node: Node
  beforeAll(async () => {
    node = await up(data.path)
  })
  afterAll(async () => {
    await node?.process.kill("SIGTERM")
    data.remove()
  })
  const [started = "", ...commands] = (blocks("The first five minutes", "sh")[0] ?? "").trim().split("\n")
  const inReadersShell = (line: string) => run("/bin/sh", ["-c", line.replaceAll("127.0.0.1:9092", node.address)], { env: { FRANZ_LEADER: node.address } })

  testWith(
    ["kcat"],
    "the first five minutes",
    async () => {
      expect(started).toBe("./franz up --port 9092 &")
      const printed: Array<string> = []
      for (const line of commands) printed.push(await inReadersShell(line))
      const said = (command: string) => printed[commands.findIndex((line) => line.includes(command))] ?? ""
      expect(said("franz consume")).toBe("two apples\n")
      expect(said("kcat")).toContain("two apples\n")
      expect(said("cluster events")).toContain("TopicAdded")
    },
    120_000
  )
  // It printed nothing once: a first poll ended before the group's first rebalance did. It failed where the topic was there from the first five minutes.
  test("the client in twelve lines prints the message that it sends, also the second time", async () => {
    const program = (blocks("The client in twelve lines", "ts").find((code) => code.includes("Effect.runPromise")) ?? "").replace(
      "127.0.0.1:9092",
      node.address
    )
    expect(program).toContain(node.address)
    for (let time = 0; time < 2; time++) expect(await run(process.execPath, ["-e", program])).toMatch(/two apples \(orders-\d@\d+\)/)
  })
  test("the cluster inside a test", async () => {
    const program = (blocks("The client in twelve lines", "ts").find((code) => code.includes("startCluster")) ?? "").replace(
      "await cluster.close()",
      "console.log(cluster.bootstrap)\nawait cluster.close()"
    )
    expect(await run(process.execPath, ["-e", program])).toMatch(/^(127\.0\.0\.1:\d+,){2}127\.0\.0\.1:\d+$/m)
  })
})
