import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { franz, franzDoes, type Node, up } from "./support/franz.ts"
import { linesOf, runKcat, testWith } from "./support/peers.ts"
import { temporaryDirectory } from "./support/process.ts"

/** `franz produce` and `franz consume` carry whole records: nulls, bytes, headers, timestamps. */
const data = temporaryDirectory()
let node: Node
/** One line each: every part, a tombstone, bytes that are no text, a byte order mark that is a part of the value. */
const sent = [
  {
    partition: 1,
    timestamp: 1000,
    key: "k",
    value: "v",
    headers: [
      { key: "h", value: "1" },
      { key: "h", value: null },
      { key: "b", valueBase64: "/w==" }
    ]
  },
  { partition: 0, timestamp: 2000, key: "gone", value: null, headers: [] },
  { partition: 0, timestamp: 3000, keyBase64: "//4=", valueBase64: "AP8=", headers: [] },
  { partition: 0, timestamp: 4000, key: null, value: "\ufeffmark", headers: [] }
]
const does = (...args: ReadonlyArray<string>) => franzDoes([...args, "--leader", node.address])
const parsed = (text: string) => linesOf(text).map((line) => JSON.parse(line) as { readonly partition: number; readonly offset: number })
const stored = [...sent.slice(1).map((one, offset) => ({ topic: "whole", offset, ...one })), { topic: "whole", offset: 0, ...sent[0] }]
const inOrder = (records: ReadonlyArray<{ readonly partition: number; readonly offset: number }>) =>
  [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
/** Old timestamps must not make the broker delete the messages. */
const create = (topic: string, partitions: number) => does("topic", "create", topic, "--partitions", String(partitions), "--config", "retention.ms=-1")
const partition0 = ["consume", "whole", "--partition", "0", "--exit-at-end", "--format", "%o\\n"]

beforeAll(async () => {
  node = await up(data.path)
  await create("whole", 2)
  await create("copy", 1)
  await franzDoes(["produce", "whole", "--json", "--leader", node.address], sent.map((one) => `${JSON.stringify(one)}\n`).join(""))
}, 300_000)
afterAll(async () => {
  await node?.process.kill("SIGTERM")
  data.remove()
})

test("what is produced with --json is consumed with --json", async () =>
  expect(inOrder(parsed(await does("consume", "whole", "--exit-at-end", "--json")))).toEqual(stored as never))
test("one command's output is the other's input, also for a topic with fewer partitions", async () => {
  const lines = await does("consume", "whole", "--partition", "1", "--exit-at-end", "--json")
  await franzDoes(["produce", "copy", "--json", "--partition", "-1", "--leader", node.address], lines)
  expect(parsed(await does("consume", "copy", "--exit-at-end", "--json"))).toEqual([{ ...sent[0], topic: "copy", partition: 0, offset: 0 } as never])
})
testWith(["kcat"], "-f, -Z and -K print what kcat prints", async () => {
  for (const format of [
    ["-f", "%t [%p] @%o %T k=%k(%K) %s (%S) %h\\x41\\t\\n"],
    ["-f", "%R%s"],
    ["-Z", "-K", ":"],
    ["-Z", "-f", "%k=%s\\n"]
  ]) {
    const theirs = await runKcat(["-b", node.address, "-C", "-t", "whole", "-p", "0", "-e", "-q", ...format])
    expect(await does("consume", "whole", "-p", "0", "-e", ...format)).toBe(theirs)
  }
})
describe("where reading begins and ends", () => {
  const cases: ReadonlyArray<readonly [words: ReadonlyArray<string>, offsets: string]> = [
    [["--last", "2"], "1\n2\n"],
    [["-o", "-99"], "0\n1\n2\n"],
    [["--from-time", "2001"], "1\n2\n"],
    [["-o", "s@3000", "-o", "e@4000"], "1\n"],
    [["--to-time", "1970-01-01T00:00:04Z"], "0\n1\n"],
    [["--from-time", "1d"], ""]
  ]
  for (const [words, offsets] of cases) test(words.join(" "), async () => expect(await does(...partition0, ...words)).toBe(offsets))
})
test("headers, keys and timestamps of all lines; an empty value as a tombstone", async () => {
  await create("lines", 1)
  const options = ["-H", "a=1", "-H", "a=2", "-k", "key", "-Z", "--timestamp", "5000", "--leader", node.address]
  await franzDoes(["produce", "lines", ...options], "one\n\n")
  expect(await does("consume", "lines", "-e", "-Z", "-f", "%k %s %T %h\\n")).toBe("key one 5000 a=1,a=2\nkey NULL 5000 a=1,a=2\n")
})
describe("franz topic copy", () => {
  test("keeps every part of a message, its partition, and the settings of the topic", async () => {
    expect(JSON.parse(await does("topic", "copy", "whole", "twin", "--create", "--json"))).toMatchObject({
      source: "whole",
      target: "twin",
      read: 4,
      stored: 4
    })
    const twin = inOrder(parsed(await does("consume", "twin", "--exit-at-end", "--json")))
    expect(twin).toEqual(stored.map((one) => ({ ...one, topic: "twin" })) as never)
    expect(await does("topic", "describe", "twin")).toContain("retention.ms=-1")
  })
  test("to a topic with other partitions, which refuses a message: which one, and exit 1", async () => {
    await does("topic", "create", "small", "--partitions", "1", "--config", "max.message.bytes=100", "--config", "retention.ms=-1")
    await franzDoes(["produce", "copy", "--leader", node.address], "x".repeat(200))
    const { code, stderr } = await franz("topic", "copy", "copy", "small", "--leader", node.address).end()
    expect([code, stderr]).toEqual([1, expect.stringMatching(/franz: message \d: .*too large/)])
  })
  test("to itself, and to a topic that is not there", async () => {
    expect(await franz("topic", "copy", "whole", "whole").end()).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be copied to itself") })
    const absent = await franz("topic", "copy", "whole", "nowhere", "--leader", node.address).end()
    expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining("There is no topic 'nowhere'.") })
  })
})
test("a line that is no message: its number, exit 1, and the lines before it are stored", async () => {
  const bad = franz("produce", "copy", "--json", "--leader", node.address)
  bad.child.stdin?.end('{"value":"good"}\n{"valu":"bad"}\n')
  const { code, stderr, stdout } = await bad.end()
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ stored: 1, refused: 1 })
  expect(JSON.parse(stderr)).toMatchObject({ error: "refused", message: expect.stringContaining('line 2: there is no field "valu" in a message.') })
})
