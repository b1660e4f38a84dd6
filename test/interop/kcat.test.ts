import { afterAll, beforeAll, describe, expect } from "bun:test"
import { Kafka, logLevel } from "kafkajs"
import { franzDoes, type Node, up } from "./support/franz.ts"
import { consoleConsumer, javaTool, lines, linesOf, runKcat, sorted, testWith } from "./support/peers.ts"
import { Run, temporaryDirectory, until } from "./support/process.ts"

/** Must show 1: every line once and byte-equal, through four kinds of client. */
describe("the 1,244 lines, produced with kcat to six partitions", () => {
  const data = temporaryDirectory()
  const topic = "vectors"
  let node: Node
  const withKcat = (name: string, needs: ReadonlyArray<"java">, body: () => Promise<void>) => testWith(["kcat", ...needs], name, body)

  beforeAll(async () => {
    node = await up(data.path)
  })
  afterAll(async () => {
    await node?.process.kill("SIGTERM")
    data.remove()
  })

  withKcat("kcat lists the node, and produces the lines", [], async () => {
    expect(await runKcat(["-b", node.address, "-L"])).toContain(`broker 0 at ${node.address}`)
    await franzDoes(["topic", "create", topic, "--partitions", "6", "--leader", node.address])
    await runKcat(["-b", node.address, "-P", "-t", topic, "-p", "-1", "-X", "sticky.partitioning.linger.ms=0"], { input: `${lines.join("\n")}\n` })
  })
  withKcat("franz consume reads each once", [], async () => {
    const read = linesOf(await franzDoes(["consume", topic, "--from", "start", "--exit-at-end", "--leader", node.address]))
    expect(sorted(read)).toEqual(sorted(lines))
  })
  withKcat("kcat reads each once, from all six partitions", [], async () => {
    const read = linesOf(await runKcat(["-b", node.address, "-C", "-t", topic, "-e", "-q", "-f", "%p %s\\n"]))
    expect(sorted(read.map((line) => line.slice(2)))).toEqual(sorted(lines))
    expect(new Set(read.map((line) => line[0])).size).toBe(6)
  })
  withKcat("Kafka's Java console consumer reads each once, in a group", ["java"], async () => {
    const read = await javaTool(consoleConsumer, [
      "--bootstrap-server",
      node.address,
      "--topic",
      topic,
      "--group",
      "java",
      "--from-beginning",
      "--max-messages",
      String(lines.length)
    ])
    expect(sorted(linesOf(read))).toEqual(sorted(lines))
  })
  withKcat("KafkaJS reads each once, in a group", [], async () => {
    const consumer = new Kafka({ brokers: [node.address], logLevel: logLevel.NOTHING }).consumer({ groupId: "kafkajs" })
    const read: Array<string> = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => void read.push(message.value?.toString() ?? "") })
    await until("KafkaJS has read all lines", () => read.length >= lines.length)
    await consumer.disconnect()
    expect(sorted(read)).toEqual(sorted(lines))
  })
  withKcat("kcat reads the journal's events as JSON", [], async () => {
    const events = linesOf(await runKcat(["-b", node.address, "-C", "-t", "__cluster_metadata", "-o", "beginning", "-e", "-q"])).map(
      (line) => JSON.parse(line) as { readonly _tag: string }
    )
    expect(events[0]?._tag).toBe("ClusterFounded")
    expect(events.filter(({ _tag }) => _tag === "PartitionPlaced").length).toBeGreaterThanOrEqual(6)
  })
  withKcat("SIGTERM closes cleanly, with code 0", [], async () => {
    node.process.child.kill("SIGTERM")
    expect((await node.process.end()).code).toBe(0)
    const again = await up(data.path)
    const read = linesOf(await franzDoes(["consume", topic, "--from", "start", "--exit-at-end", "--leader", again.address]))
    expect(sorted(read)).toEqual(sorted(lines))
    node = again
  })
})

/** A consumer that waits is woken by a record, and not by polling. */
describe("kcat as a waiting consumer", () => {
  testWith(["kcat"], "gets a record that comes after it started", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path)
    await franzDoes(["topic", "create", "later", "--leader", node.address])
    const consumer = Run.start("kcat", ["-m", "60", "-b", node.address, "-C", "-t", "later", "-o", "beginning", "-u"])
    await runKcat(["-b", node.address, "-P", "-t", "later"], { input: "one\n" })
    await consumer.says(/one/)
    await runKcat(["-b", node.address, "-P", "-t", "later"], { input: "two\n" })
    await consumer.says(/two/)
    await consumer.kill()
    await node.process.kill("SIGTERM")
    data.remove()
  })
})
