import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Node, up } from "./support/franz.ts"
import { testWith } from "./support/peers.ts"
import { root, run, temporaryDirectory, until } from "./support/process.ts"

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
  /** A command gives a silent cluster up after 10 s, which a busy machine can take; the reader tries it again. */
  const inShellOf = (address: string, line: string): Promise<string> =>
    until(line, () =>
      run("/bin/sh", ["-c", line], { env: { FRANZ_LEADER: address } }).catch((cause: unknown) => {
        if (String(cause).includes("cluster unreachable")) return undefined
        throw cause
      })
    )
  const inReadersShell = (line: string) => inShellOf(node.address, line.replaceAll("127.0.0.1:9092", node.address))

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
  test("three copies", async () => {
    const three = temporaryDirectory()
    const [startsThree = "", exported = "", ...does] = (blocks("Three copies", "sh")[0] ?? "").trim().split("\n")
    expect(startsThree).toStartWith("./franz up --brokers 3 ")
    expect(exported).toStartWith("export FRANZ_LEADER=")
    const replicated = await up(three.path, "--brokers", "3")
    const printed: Array<string> = []
    for (const line of does) printed.push(await inShellOf(replicated.address, line))
    expect(printed.join("")).toMatch(/\d,\d,\d +\d,\d,\d/)
    expect(printed.at(-1)).toContain("every replica is in sync")
    await replicated.process.kill("SIGKILL")
    three.remove()
  }, 120_000)
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
