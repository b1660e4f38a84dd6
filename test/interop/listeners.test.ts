import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { franz, type Node, ready } from "./support/franz.ts"
import { javaTool, linesOf, runKcat, sorted, testWith } from "./support/peers.ts"
import { Run, temporaryDirectory } from "./support/process.ts"

const dataFile = (name: string) => join(import.meta.dir, "data", name)
/** Starts `franz up` with these settings and a new data directory. */
const started = async (args: ReadonlyArray<string>, use: (node: Node, listeners: Readonly<Record<string, string>>) => Promise<void>): Promise<void> => {
  const data = temporaryDirectory()
  const process = franz("up", "--data", data.path, ...args)
  try {
    const node = await ready(process)
    await use(node, Object.fromEntries([...process.stdout.matchAll(/^ {2}(\S+): (\S+)$/gm)].map(([, name = "", address = ""]) => [name, address])))
  } finally {
    await process.kill("SIGTERM")
    data.remove()
  }
}
const failed = async (args: ReadonlyArray<string>) => {
  const data = temporaryDirectory()
  try {
    return await franz("up", "--data", data.path, ...args).end()
  } finally {
    data.remove()
  }
}
const set = (...settings: ReadonlyArray<string>) => settings.flatMap((setting) => ["-X", setting])
/** Produces and consumes through one address. The topic may have several partitions, so the order of the records is not fixed. */
const works = async (address: string, topic: string): Promise<void> => {
  await runKcat(["-b", address, "-P", "-t", topic], { input: "one\ntwo\n" })
  expect(sorted(linesOf(await runKcat(["-b", address, "-C", "-t", topic, "-o", "beginning", "-e", "-q"])))).toEqual(["one", "two"])
}

describe("settings files that start Kafka", () => {
  testWith(["kcat", "java"], "of Kafka 2.8: the broker's id holds, and one line names what has no effect", () =>
    started(["--port", "0", "--config", dataFile("kafka-2.8-server.properties")], async (node) => {
      await works(node.address, "older")
      expect(node.process.stderr.match(/settings without effect here: .*/g)).toHaveLength(1)
      expect(node.process.stderr).toContain("zookeeper.connect (there is no ZooKeeper)")
      const topics = await javaTool("org.apache.kafka.tools.TopicCommand", ["--bootstrap-server", node.address, "--describe", "--topic", "older"])
      expect(topics).toContain("PartitionCount: 3")
    })
  )
  testWith(["kcat", "java"], "of Kafka 4: clients are told the listener that they came through; the controller's serves no records", () => {
    const free = set("listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "advertised.listeners=PLAINTEXT://127.0.0.1:0")
    return started(["--config", dataFile("kafka-4-server.properties"), ...free], async (node, { CONTROLLER = "" }) => {
      await works(node.address, "newer")
      expect(node.process.stdout).toContain("leader and broker 1:")
      const quorum = ["--bootstrap-controller", CONTROLLER, "describe", "--status"]
      expect(await javaTool("org.apache.kafka.tools.MetadataQuorumCommand", quorum)).toMatch(/LeaderId:\s+1/)
      const refused = await Run.start("kcat", ["-b", CONTROLLER, "-L", "-m", "5"]).end()
      expect(refused.code).not.toBe(0)
    })
  })
  test("a process.roles value of another command exits with 78 and names that command", async () => {
    const { code, stderr } = await failed(set("process.roles=broker"))
    expect([code, stderr]).toEqual([78, expect.stringContaining("Use franz broker")])
  })
})

describe("listeners", () => {
  testWith(["kcat"], "of Apache Kafka's image, the controller's first: both others serve, each told by its own address", () => {
    const image = set(
      "listeners=CONTROLLER://127.0.0.1:0,PLAINTEXT_HOST://127.0.0.1:0,PLAINTEXT://127.0.0.1:0",
      "advertised.listeners=PLAINTEXT_HOST://localhost:0,PLAINTEXT://127.0.0.1:0",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
      "controller.listener.names=CONTROLLER",
      "process.roles=broker,controller"
    )
    return started(image, async (node, { PLAINTEXT_HOST = "" }) => {
      await works(node.address, "inside")
      await works(PLAINTEXT_HOST, "outside")
      expect(await runKcat(["-b", PLAINTEXT_HOST, "-L"])).toContain(`broker 0 at ${PLAINTEXT_HOST}`)
      expect(await runKcat(["-b", node.address, "-L"])).toContain(`broker 0 at ${node.address}`)
    })
  })
  test.each([
    ["listeners=EXTERNAL://127.0.0.1:0", "listener.security.protocol.map=EXTERNAL:SASL_SSL"],
    ["listeners=PLAINTEXT://127.0.0.1:0,SSL://127.0.0.1:0", "num.partitions=1"]
  ] as const)("%s with %s: 78, and nothing is opened in plain text", async (listeners, other) => {
    const { code, stderr, stdout } = await failed(set(listeners, other))
    expect([code, stdout]).toEqual([78, ""])
    expect(stderr).toContain("is not opened in plain text instead")
  })
})

describe("a node without node.id", () => {
  testWith(["kcat"], "has that of its data directory", async () => {
    const data = temporaryDirectory()
    for (const args of [set("broker.id=7"), []]) {
      const node = await ready(franz("up", "--port", "0", "--data", data.path, ...args))
      expect(await runKcat(["-b", node.address, "-L"])).toContain(`broker 7 at ${node.address}`)
      await node.process.kill("SIGTERM")
    }
    data.remove()
  })
})

describe("settings of groups and of clients' metrics", () => {
  testWith(["java"], "Kafka's own tools set, show and list them", () =>
    started(["--port", "0"], async ({ address }) => {
      const configs = (...args: ReadonlyArray<string>) => javaTool("kafka.admin.ConfigCommand", ["--bootstrap-server", address, ...args])
      const group = ["--entity-type", "groups", "--entity-name", "g"]
      await configs(...group, "--alter", "--add-config", "consumer.session.timeout.ms=50000")
      expect(await configs(...group, "--describe")).toContain("consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG")
      await configs("--entity-type", "client-metrics", "--entity-name", "m", "--alter", "--add-config", "interval.ms=1000")
      expect(await configs("--entity-type", "client-metrics", "--describe")).toContain("interval.ms=1000")
      await configs(...group, "--alter", "--delete-config", "consumer.session.timeout.ms")
      expect(await configs(...group, "--describe")).not.toContain("50000")
    })
  )
})
