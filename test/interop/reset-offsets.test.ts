import { afterAll, beforeAll, expect, test } from "bun:test"
import { franz, franzDoes, type Node, up } from "./support/franz.ts"
import { linesOf } from "./support/peers.ts"
import { temporaryDirectory } from "./support/process.ts"

/** `franz group reset-offsets` moves what a group has committed, and `--dry-run` only shows it. */
const data = temporaryDirectory()
let node: Node
const does = (...args: ReadonlyArray<string>) => franzDoes([...args, "--leader", node.address])
const fails = (...args: ReadonlyArray<string>) => franz(...args, "--leader", node.address).end()
const reset = (...args: ReadonlyArray<string>) => does("group", "reset-offsets", ...args)
const committed = async (group: string) => {
  const { offsets } = JSON.parse(await does("group", "describe", group, "--json")) as { readonly offsets: ReadonlyArray<{ readonly committed: number }> }
  return offsets.map((one) => one.committed)
}

beforeAll(async () => {
  node = await up(data.path, "-X", "group.initial.rebalance.delay.ms=0")
  await does("topic", "create", "orders", "--partitions", "1", "--config", "retention.ms=-1")
  const records = Array.from({ length: 10 }, (_, at) => `${JSON.stringify({ value: `v${at}`, timestamp: 1000 * (at + 1) })}\n`)
  await franzDoes(["produce", "orders", "--json", "--leader", node.address], records.join(""))
  await does("consume", "orders", "--group", "billing", "--from", "start", "--exit-at-end")
}, 300_000)
afterAll(async () => {
  await node?.process.kill("SIGTERM")
  data.remove()
})

test("to an end, an offset, a time, or by a shift; within what the partition has", async () => {
  const targets: ReadonlyArray<readonly [words: ReadonlyArray<string>, offset: number]> = [
    [["--to-earliest"], 0],
    [["--to-latest"], 10],
    [["--to-offset", "4"], 4],
    [["--to-offset", "99"], 10],
    [["--shift-by", "-3"], 7],
    [["--shift-by", "-11"], 0],
    [["--to-time", "3500"], 3]
  ]
  for (const [words, to] of targets) {
    const dry = JSON.parse(await reset("billing", ...words, "--dry-run", "--json"))
    expect(dry).toEqual({ group: "billing", topic: "orders", partition: 0, from: 10, to, dryRun: true })
  }
  expect(await committed("billing")).toEqual([10])
  expect(await reset("billing", "--to-offset", "4")).toMatch(/orders +0 +10 +4/)
  await reset("billing", "--shift-by", "3")
  expect(linesOf(await does("consume", "orders", "--group", "billing", "--exit-at-end"))).toEqual(["v7", "v8", "v9"])
}, 300_000)
test("a group that is not there is made for the topics that are named; each unknown topic is an error beside them", async () => {
  expect(await fails("group", "reset-offsets", "absent", "--to-latest")).toMatchObject({ code: 1, stderr: expect.stringContaining("no group 'absent'") })
  const some = await fails("group", "reset-offsets", "new", "--to-latest", "--topic", "orders", "--topic", "nowhere")
  expect(some).toMatchObject({ code: 1, stderr: expect.stringContaining("There is no topic 'nowhere'.") })
  expect(some.stdout).toMatch(/orders +0 +none +10/)
  expect(await committed("new")).toEqual([10])
})
test("a group with members is refused, and only shown by a dry run", async () => {
  const member = franz("consume", "orders", "--group", "busy", "--from", "start", "--leader", node.address)
  await member.says(/v9/)
  const refused = await fails("group", "reset-offsets", "busy", "--to-earliest", "--topic", "orders")
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("The group 'busy' has members") })
  expect(await reset("busy", "--to-earliest", "--topic", "orders", "--dry-run")).toContain("dry run: nothing was committed")
  await member.kill("SIGTERM")
})
test("the place is given once", async () => {
  const none = await fails("group", "reset-offsets", "billing")
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("give one of --to-earliest, --to-latest") })
  const both = await fails("group", "reset-offsets", "billing", "--to-latest", "--shift-by", "1")
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("give only one of") })
  const noon = await fails("group", "reset-offsets", "billing", "--to-time", "noon")
  expect(noon).toMatchObject({ code: 2, stderr: expect.stringContaining("--to-time noon: expected ms since 1970") })
})
