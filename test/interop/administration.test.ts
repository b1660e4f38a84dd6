import { describe, expect } from "bun:test"
import { franzDoes, up } from "./support/franz.ts"
import { consoleConsumer, javaTool, testWith } from "./support/peers.ts"
import { temporaryDirectory } from "./support/process.ts"

const tools = "org.apache.kafka.tools"

// What else Kafka's tools ask is compared field by field (./franz compare): a start of Java takes seconds.
describe("Kafka's own tools", () => {
  testWith(["java"], "describe the journal as a quorum, with its observers, and the producers of a partition", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path, "--brokers", "2")
    const ask = (tool: string, ...args: ReadonlyArray<string>) => javaTool(`${tools}.${tool}`, ["--bootstrap-server", node.address, ...args])
    const status = await ask("MetadataQuorumCommand", "describe", "--status")
    expect(status).toMatch(/LeaderId: +0\n/)
    expect(status).toMatch(/CurrentVoters: +\[\{"id": 0, "endpoints": \["PLAINTEXT:\/\/127\.0\.0\.1:\d+"\]\}\]/)
    expect(status).toMatch(/CurrentObservers: +\[\{"id": 1/)
    await franzDoes(["produce", "orders", "--partition", "0", "--leader", node.address], "a\nb\n")
    const producers = await ask("TransactionsCommand", "describe-producers", "--topic", "orders", "--partition", "0")
    expect(producers).toMatch(/\n\d+ *\t0 *\t-1 *\t1 *\t\d{13} *\tNone/)
    await node.process.kill("SIGTERM")
    data.remove()
  })

  testWith(["java"], "read the groups in __consumer_offsets with Kafka's own formatters", async () => {
    const data = temporaryDirectory()
    const node = await up(data.path, "-X", "offsets.topic.num.partitions=1")
    await franzDoes(["produce", "orders", "--partition", "0", "--leader", node.address], "a\nb\n")
    await franzDoes(["consume", "orders", "--group", "billing", "--from", "start", "--max", "2", "--leader", node.address])
    const from = ["--topic", "__consumer_offsets", "--partition", "0", "--offset", "earliest", "--max-messages", "2"]
    const formatted = (formatter: string) =>
      javaTool(consoleConsumer, ["--bootstrap-server", node.address, ...from, "--formatter", `${tools}.consumer.${formatter}`])
    expect(await formatted("OffsetsMessageFormatter")).toMatch(
      /"group":"billing","topic":"orders","partition":0\}\},"value":\{"version":3,"data":\{"offset":2,/
    )
    expect(await formatted("GroupMetadataMessageFormatter")).toMatch(
      /"group":"billing"\}\},"value":\{"version":3,"data":\{"protocolType":"consumer","generation":\d+,/
    )
    await node.process.kill("SIGTERM")
    data.remove()
  })
})
