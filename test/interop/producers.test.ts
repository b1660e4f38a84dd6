import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Producer as PlatformaticProducer, ProduceAcks, stringSerializers } from "@platformatic/kafka"
import { CompressionTypes, Kafka, logLevel } from "kafkajs"
import { franzDoes, type Node, up } from "./support/franz.ts"
import { consoleProduce, lines, linesOf, python, runKcat, sorted, testWith } from "./support/peers.ts"
import { run, temporaryDirectory } from "./support/process.ts"

/** Must show 2: every producer sends the lines with each codec that it supports. */
describe("the 1,244 lines, sent by every producer", () => {
  const data = temporaryDirectory()
  const input = `${lines.join("\n")}\n`
  const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const
  let node: Node
  let number = 0

  beforeAll(async () => {
    node = await up(data.path, "--partitions", "3")
  })
  afterAll(async () => {
    await node?.process.kill("SIGTERM")
    data.remove()
  })
  const newTopic = async (): Promise<string> => {
    const topic = `in-${number++}`
    await franzDoes(["topic", "create", topic, "--partitions", "3", "--leader", node.address])
    return topic
  }
  const allThere = async (topic: string) => {
    const read = linesOf(await franzDoes(["consume", topic, "--from", "start", "--exit-at-end", "--leader", node.address]))
    expect(sorted(read)).toEqual(sorted(lines))
  }

  for (const codec of codecs) {
    testWith(["java"], `Kafka's Java console producer: ${codec}`, async () => {
      const topic = await newTopic()
      const compression = codec === "none" ? [] : ["--compression-codec", codec]
      await consoleProduce(node.address, topic, input, ...compression)
      await allThere(topic)
    })
    testWith(["confluent"], `confluent-kafka (librdkafka), idempotent: ${codec}`, async () => {
      const topic = await newTopic()
      await run(python, ["-c", confluentScript, node.address, topic, codec], { input })
      await allThere(topic)
    })
    testWith(["kcat"], `kcat: ${codec}`, async () => {
      const topic = await newTopic()
      await runKcat(["-b", node.address, "-P", "-t", topic, "-z", codec], { input })
      await allThere(topic)
    })
    test(`our own: ${codec}`, async () => {
      const topic = await newTopic()
      await franzDoes(["produce", topic, "--compression", codec, "--leader", node.address], input)
      await allThere(topic)
    })
    test(`@platformatic/kafka: ${codec}`, async () => {
      const topic = await newTopic()
      const producer = new PlatformaticProducer({
        clientId: "platformatic",
        bootstrapBrokers: [node.address],
        serializers: stringSerializers,
        compression: codec
      })
      for (let at = 0; at < lines.length; at += 200) {
        await producer.send({ messages: lines.slice(at, at + 200).map((value) => ({ topic, value })), acks: ProduceAcks.ALL })
      }
      await producer.close()
      await allThere(topic)
    })
  }

  // KafkaJS brings gzip alone; the others are plug-ins of other packages.
  for (const [name, compression] of [
    ["none", CompressionTypes.None],
    ["gzip", CompressionTypes.GZIP]
  ] as const) {
    test(`KafkaJS, idempotent: ${name}`, async () => {
      const topic = await newTopic()
      const producer = new Kafka({ brokers: [node.address], logLevel: logLevel.NOTHING }).producer({ idempotent: true })
      await producer.connect()
      for (let at = 0; at < lines.length; at += 200)
        await producer.send({ topic, compression, messages: lines.slice(at, at + 200).map((value) => ({ value })) })
      await producer.disconnect()
      await allThere(topic)
    })
  }
})

const confluentScript = `
import sys
from confluent_kafka import Producer
address, topic, codec = sys.argv[1:]
failed = []
producer = Producer({"bootstrap.servers": address, "compression.type": codec, "enable.idempotence": True, "acks": "all"})
for line in sys.stdin.buffer:
    producer.produce(topic, line.rstrip(b"\\n"), on_delivery=lambda error, message: failed.append(error) if error else None)
    producer.poll(0)
left = producer.flush(60)
sys.exit(f"{left} left, failed: {failed[:3]}" if left or failed else 0)
`
