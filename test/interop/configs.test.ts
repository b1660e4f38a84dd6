import { describe, expect } from "bun:test"
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { franz, franzDoes, type Node, up } from "./support/franz.ts"
import { dumpLogSegments, javaTool, linesOf, runKcat, testWith } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

const configCommand = "kafka.admin.ConfigCommand"
const deleteRecordsCommand = "org.apache.kafka.tools.DeleteRecordsCommand"

const configs = (node: Node, ...args: ReadonlyArray<string>): Promise<string> =>
  javaTool(configCommand, ["--bootstrap-server", node.address, "--entity-type", "topics", "--entity-name", "orders", ...args])
const refused = (attempt: Promise<string>): Promise<string> =>
  attempt.then(
    (output) => `accepted: ${output}`,
    (error) => String(error)
  )
/** The offset that kcat finds for a time: -2 means the start, -1 the end. */
const offsetAt = async (node: Node, time: number): Promise<number> => {
  const said = await runKcat(["-b", node.address, "-Q", "-t", `orders:0:${time}`])
  return Number(said.match(/offset (\d+)/)?.[1])
}
const produce = (node: Node, count: number) =>
  runKcat(["-b", node.address, "-P", "-t", "orders", "-X", "batch.num.messages=10"], {
    input: Array.from({ length: count }, (_, i) => `message ${i}\n`).join("")
  })
const consumed = async (node: Node, from: string) =>
  linesOf(await runKcat(["-b", node.address, "-C", "-t", "orders", "-X", "auto.offset.reset=earliest", "-o", from, "-e", "-q", "-f", "%o\\n"])).map(Number)

describe("topic settings and what they do", () => {
  testWith(["java", "kcat"], "Kafka's own tool sets, shows and unsets settings of a topic; what is wrong is said", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path)
    await franzDoes(["topic", "create", "orders", "--leader", node.address])
    await configs(node, "--alter", "--add-config", "retention.ms=86400000,segment.bytes=1048576")
    const shown = await configs(node, "--describe")
    expect(shown).toContain("retention.ms=86400000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=86400000}")
    expect(shown).toContain("segment.bytes=1048576")
    await configs(node, "--alter", "--delete-config", "segment.bytes")
    const all = await configs(node, "--describe", "--all")
    expect(all).toContain("segment.bytes=1073741824")
    expect(all).toContain("retention.ms=86400000")
    expect(all).toContain("cleanup.policy=delete")
    await configs(node, "--alter", "--add-config", "cleanup.policy=[compact,delete]")
    expect(await configs(node, "--describe")).toContain("cleanup.policy=compact,delete")
    expect(await refused(configs(node, "--alter", "--add-config", "cleanup.policy=burn"))).toContain("expected a list of compact, delete")
    expect(await refused(configs(node, "--alter", "--add-config", "retention.ms=-7"))).toContain("retention.ms=-7: expected a whole number from -1")
    const broker = ["--bootstrap-server", node.address, "--entity-type", "brokers", "--entity-name", "0"]
    expect(await refused(javaTool(configCommand, [...broker, "--alter", "--add-config", "num.partitions=5"]))).toContain(
      "Cannot update these configs dynamically"
    )
    await javaTool(configCommand, [...broker, "--alter", "--add-config", "log.retention.bytes=5000000,log.cleanup.policy=delete"])
    const everywhere = ["--bootstrap-server", node.address, "--entity-type", "brokers", "--entity-default"]
    await javaTool(configCommand, [...everywhere, "--alter", "--add-config", "log.retention.bytes=6000000"])
    expect(await javaTool(configCommand, [...everywhere, "--describe"])).toContain(
      "log.retention.bytes=6000000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.bytes=6000000}"
    )
    const layers =
      "DYNAMIC_BROKER_CONFIG:log.retention.bytes=5000000, DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.bytes=6000000, DEFAULT_CONFIG:log.retention.bytes=-1"
    expect(await javaTool(configCommand, [...broker, "--describe", "--all"])).toContain(`log.retention.bytes=5000000 sensitive=false synonyms={${layers}}`)
    expect(await configs(node, "--describe", "--all")).toContain(`retention.bytes=5000000 sensitive=false synonyms={${layers}}`)
    await javaTool(configCommand, [...broker, "--alter", "--delete-config", "log.retention.bytes"])
    expect(await configs(node, "--describe", "--all")).toContain("retention.bytes=6000000")
    await node.process.kill("SIGTERM")
    data.remove()
  })

  testWith(["java", "kcat"], "Kafka's own tool deletes records; consumers start there, after a restart too", async () => {
    const data = temporaryDirectory()
    const before = await up(data.path)
    await franzDoes(["topic", "create", "orders", "--leader", before.address])
    await produce(before, 100)
    const file = join(data.path, "delete.json")
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic: "orders", partition: 0, offset: 37 }] }))
    const said = await javaTool(deleteRecordsCommand, ["--bootstrap-server", before.address, "--offset-json-file", file])
    expect(said).toContain("partition: orders-0\tlow_watermark: 37")
    expect(await consumed(before, "beginning")).toEqual(Array.from({ length: 63 }, (_, i) => 37 + i))
    await before.process.kill("SIGKILL")
    const after = await up(data.path)
    expect([await offsetAt(after, -2), await offsetAt(after, -1)]).toEqual([37, 100])
    expect((await consumed(after, "beginning"))[0]).toBe(37)
    await after.process.kill("SIGTERM")
    data.remove()
  })

  testWith([], "franz shows and changes them; what is mistyped is said", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path)
    const config = (...args: ReadonlyArray<string>) => franz("topic", "config", "orders", "--leader", node.address, ...args).end()
    await franzDoes(["topic", "create", "orders", "--leader", node.address])
    expect(await config("--set", "retention.ms=5000", "--set", "segment.bytes=2000000")).toMatchObject({ code: 0 })
    expect(await config("--unset", "segment.bytes")).toMatchObject({ code: 0, stdout: "orders: segment.bytes has the cluster's value\n" })
    const shown = linesOf((await config()).stdout)
    expect(shown).toContain("retention.ms=5000")
    expect(shown.some((line) => line.startsWith("segment.bytes=1073741824"))).toBe(true)
    expect(JSON.parse((await config("--json")).stdout).configs).toContainEqual(expect.objectContaining({ name: "retention.ms", value: "5000", isOwn: true }))
    expect((await config("--unset", "retention.sm")).stderr).toContain("--unset retention.sm: a topic has no such setting. Did you mean 'retention.ms'?")
    expect((await config("--set", "retention.sm=1")).stderr).toContain("Did you mean 'retention.ms'?")
    expect((await config("--set", "retention.ms=-2")).stderr).toContain("retention.ms=-2: expected a whole number from -1")
    expect((await config("--set", "retention.ms")).stderr).toContain("expected NAME=VALUE")
    expect((await franz("topic", "config", "none", "--leader", node.address).end()).code).not.toBe(0)
    await node.process.kill("SIGTERM")
    data.remove()
  })

  testWith([], "franz shows and changes a node's settings, for one node and for all; they hold after a restart", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path, "-X", "log.retention.bytes=5000000")
    const on = (at: Node, ...args: ReadonlyArray<string>) => franz("broker", "config", ...args, "--leader", at.address).end()
    const lines = async (at: Node, ...args: ReadonlyArray<string>) => linesOf((await on(at, ...args)).stdout)
    expect(await lines(node, "0")).toContain("log.retention.bytes=5000000  (file)")
    expect(await on(node, "--set", "message.max.bytes=2000000")).toMatchObject({ code: 0, stdout: "all nodes: message.max.bytes=2000000\n" })
    expect(await on(node, "0", "--set", "log.retention.bytes=6000000")).toMatchObject({ code: 0, stdout: "node 0: log.retention.bytes=6000000\n" })
    await until(
      "the node has both",
      async () => (await lines(node, "0")).filter((line) => /^(message.max.bytes=2000000  .all nodes.|log.retention.bytes=6000000)$/.test(line)).length === 2
    )
    expect(await lines(node)).toEqual(["message.max.bytes=2000000", "min.insync.replicas=1"])
    expect((await on(node, "0", "--set", "num.partitions=5")).stderr).toContain("node 0: Cannot update these configs dynamically: [num.partitions]")
    expect((await on(node, "0", "--set", "log.roll.ms=0")).stderr).toContain("node 0: log.roll.ms=0: expected a whole number from 1")
    expect((await on(node, "0", "--unset", "log.retention.byte")).stderr).toContain("a node has no such setting. Did you mean 'log.retention.bytes'?")
    expect((await on(node, "7")).code).not.toBe(0)
    expect((await on(node, "one")).stderr).toContain("expected the id of a node")
    await node.process.kill("SIGKILL")
    const again = await up(data.path, "-X", "log.retention.bytes=5000000")
    expect(JSON.parse((await on(again, "0", "--json")).stdout).configs).toContainEqual(
      expect.objectContaining({ name: "log.retention.bytes", value: "6000000", isOwn: true, source: "node" })
    )
    expect(await on(again, "0", "--unset", "log.retention.bytes")).toMatchObject({ code: 0 })
    await until("the file's value holds", async () => (await lines(again, "0")).includes("log.retention.bytes=5000000  (file)"))
    await again.process.kill("SIGTERM")
    data.remove()
  })

  testWith(["java", "kcat"], "what the broker packed anew is read by kcat, and Kafka's own tool finds the codec in the files", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path)
    const lines = Array.from({ length: 300 }, (_, i) => `a message of many, number ${i}`)
    for (const [type, sent] of [
      ["gzip", "lz4"],
      ["snappy", "none"],
      ["lz4", "gzip"],
      ["zstd", "snappy"],
      ["uncompressed", "zstd"]
    ] as const) {
      const topic = `packed-${type}`
      await franzDoes(["topic", "create", topic, "--config", `compression.type=${type}`, "--leader", node.address])
      await runKcat(["-b", node.address, "-P", "-t", topic, "-z", sent], { input: `${lines.join("\n")}\n` })
      expect(linesOf(await runKcat(["-b", node.address, "-C", "-t", topic, "-o", "beginning", "-e", "-q"]))).toEqual(lines)
    }
    const broker = join(data.path, "broker-0")
    const logs = readdirSync(broker).filter((name) => /^[\w-]{22}-0$/.test(name))
    const dumped = await javaTool(dumpLogSegments, ["--files", logs.map((name) => join(broker, name, "00000000000000000000.log")).join(",")])
    expect([...new Set([...dumped.matchAll(/compresscodec: (\w+)/g)].map(([, codec]) => codec))].sort()).toEqual(["gzip", "lz4", "none", "snappy", "zstd"])
    expect(dumped).not.toContain("isvalid: false")
    await node.process.kill("SIGTERM")
    data.remove()
  })

  testWith(["kcat"], "what is too old goes from the disk; a consumer that asks for it is told and starts where the log does", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path, "-X", "log.retention.check.interval.ms=200", "-X", "log.segment.delete.delay.ms=0")
    await franzDoes(["topic", "create", "orders", "--config", "segment.bytes=2000", "--leader", node.address])
    // The first segment is on the disk before it may be rolled: what comes faster than that sync stays in one segment.
    await produce(node, 10)
    await produce(node, 490)
    const partition = () => join(data.path, "broker-0", readdirSync(join(data.path, "broker-0")).find((name) => /^[\w-]{22}-0$/.test(name)) ?? "")
    const segments = () => readdirSync(partition()).filter((name) => name.endsWith(".log"))
    expect(segments().length).toBeGreaterThan(3)
    await franzDoes(["topic", "config", "orders", "--set", "retention.ms=1", "--leader", node.address])
    await until("all records are too old", async () => (await offsetAt(node, -2)) === 500)
    await until("their files are gone", () => segments().length === 1)
    await franzDoes(["topic", "config", "orders", "--unset", "retention.ms", "--leader", node.address])
    await produce(node, 5)
    expect(await consumed(node, "0")).toEqual([500, 501, 502, 503, 504])
    await node.process.kill("SIGTERM")
    data.remove()
  })
})
