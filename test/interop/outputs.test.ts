import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { franz, franzDoes, type Node, up, withoutWaits } from "./support/franz.ts"
import { Run, root, temporaryDirectory, until } from "./support/process.ts"

/** Where a command's input comes from and its output goes to: pipes that close, disks that are full, and nothing to read at all. */
const data = temporaryDirectory()
let node: Node
const lines = Array.from({ length: 20_000 }, (_, at) => `line ${at}`)
beforeAll(async () => {
  node = await up(data.path, "-X", "group.initial.rebalance.delay.ms=0")
  await franzDoes(["topic", "create", "lines", "--partitions", "1", "--leader", node.address])
  await franzDoes(["produce", "lines", "--leader", node.address], lines.join("\n"))
}, 300_000)
afterAll(async () => {
  await node?.process.kill("SIGTERM")
  data.remove()
})

const program = join(root, "src/programs/franz.ts")
/** A line of bash in which `franz` is the program from its sources. */
const shell = (line: string) =>
  Run.start("bash", ["-c", `franz() { "${process.execPath}" "${program}" "$@"; }; ${line}`], { env: { FRANZ_LEADER: node.address } }).end()

describe("a closed or full output", () => {
  test("a reader that closes the pipe early is no error: exit 0 without a message", async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: bash's own.
    const ended = await shell("franz consume lines | head -1; echo ${PIPESTATUS[0]}")
    expect([ended.stdout, withoutWaits(ended.stderr)]).toEqual(["line 0\n0\n", ""])
  })
  test("in a group it leaves what was not printed to the next member", async () => {
    await shell("franz consume lines --from start --group early | head -1")
    const rest = await shell("franz consume lines --from start --group early --exit-at-end")
    const [first = ""] = rest.stdout.split("\n")
    // What went into the pipe may count as printed; what is left begins within it, and nothing behind it is missing.
    expect(rest.stdout.trimEnd().split("\n")).toEqual(lines.slice(lines.indexOf(first)))
  })
  for (const command of ["topic list", "topic list --json", "consume lines --exit-at-end", "--help", "cluster describe"])
    test(`franz ${command} to a full disk: exit 74 and why`, async () => {
      const ended = await shell(`franz ${command} >/dev/full`)
      expect(ended.code).toBe(74)
      expect(withoutWaits(ended.stderr)).toMatch(/^franz: standard output cannot be written: .*ENOSPC.*\n$/)
    })
  test("a node whose log file is on a full disk continues to serve", async () => {
    const other = temporaryDirectory()
    const run = Run.start("bash", ["-c", `exec "${process.execPath}" "${program}" up --port 0 --data "${other.path}" 2>/dev/full`])
    await run.says(/^ready$/m)
    const address = run.stdout.match(/: (127\.0\.0\.1:\d+)$/m)?.[1] ?? ""
    await franzDoes(["topic", "create", "there", "--leader", address])
    expect(await franzDoes(["topic", "list", "--leader", address])).toContain("there")
    await run.kill("SIGTERM")
    other.remove()
  })
})

test("--from after the end of every partition gives a warning, and reading begins at the end", async () => {
  const { code, stderr, stdout } = await franz("consume", "lines", "--from", "99999999", "--exit-at-end", "--leader", node.address).end()
  expect([code, stdout, withoutWaits(stderr)]).toEqual([0, "", "'lines' ends before offset 99999999: reading begins at the end of each partition.\n"])
})
test("standard input that is a directory: exit 2, and what to give instead", async () => {
  const ended = await shell("franz produce lines </")
  expect(ended.code).toBe(2)
  expect(ended.stderr).toContain("standard input is a directory")
})

test("a node that accepts connections and is silent: the command says that it waits, under --json only that it failed, and exits with 69", async () => {
  const silent = createServer(() => undefined).listen(0, "127.0.0.1")
  await once(silent, "listening")
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const run = franz("topic", "list", "--leader", address)
  await run.says(new RegExp(`^waiting for a response of ${address}.$`, "m"))
  const ended = await run.end()
  expect(ended.code).toBe(69)
  expect(ended.stderr).toContain(`cluster unreachable: no node responds at ${address}`)
  const json = await franz("topic", "list", "--json", "--leader", address).end()
  expect(json.code).toBe(69)
  expect(JSON.parse(json.stderr)).toMatchObject({ error: "unavailable", exitCode: 69, message: expect.stringContaining(address) })
  silent.close()
})
test("an error under --json is JSON on standard error", async () => {
  const { code, stderr, stdout } = await franz("consume", "nowhere", "--json", "--leader", node.address).end()
  expect([code, stdout]).toEqual([1, ""])
  expect(JSON.parse(stderr)).toMatchObject({ error: "refused", exitCode: 1, message: expect.stringContaining("'nowhere'"), hint: expect.any(String) })
})

describe("a session whose commands are piped in", () => {
  test("runs the last line without a newline, lines with carriage returns, and no more after exit", async () => {
    const ended = await shell("printf 'listTopics\\r\\nremoveTopic nowhere' | franz producer; echo; printf 'exit\\nlistTopics\\n' | franz producer")
    expect(ended.stdout.split("lines  (1 partition)")).toHaveLength(2)
    expect(ended.stdout).toContain("There is no topic 'nowhere'.")
  })
  test("reads no further than its commands: a line that never ends is a usage error", async () => {
    const ended = await shell("yes | tr -d '\\n' | franz producer >/dev/null")
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain("a line of standard input is longer than 1048576 bytes")
  })
})

test("--exit-at-end ends a member without an assigned partition", async () => {
  const holder = franz("consume", "lines", "--group", "full", "--from", "start", "--leader", node.address)
  await until("the first member reads", () => holder.stdout.includes("line 19999"))
  // Both new members end, whichever member has the one partition. The holder continues.
  const ended = await Promise.all(["one", "two"].map(() => franz("consume", "lines", "--group", "full", "--exit-at-end", "--leader", node.address).end()))
  expect(ended.map(({ code }) => code)).toEqual([0, 0])
  await holder.kill("SIGTERM")
})

describe("help", () => {
  const helpOf = async (...words: ReadonlyArray<string>) => (await franz(...words).end()).stdout
  test("franz help COMMAND is franz COMMAND --help", async () => {
    expect(await helpOf("help", "consume")).toBe(await helpOf("consume", "--help"))
    expect(await helpOf("help", "topic", "create")).toBe(await helpOf("topic", "create", "--help"))
    expect(await helpOf("help", "topic")).toBe(await helpOf("topic", "--help"))
  })
  test("of an unknown command names the nearest one", async () => {
    const ended = await franz("help", "consum").end()
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain("there is no command 'consum'. Did you mean 'consume'?")
  })
})
