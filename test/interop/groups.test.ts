import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Effect, Fiber, Stream } from "effect"
import { Kafka, logLevel } from "kafkajs"
import { Consumer, type ConsumerEvent } from "../../src/programs/library.ts"
import { franz, franzDoes, type Node, ready } from "./support/franz.ts"
import { consoleConsumer, linesOf, startJavaTool, testWith } from "./support/peers.ts"
import { Run, run, temporaryDirectory, until } from "./support/process.ts"

/** Must show 3: a leader and three brokers in separate processes, and groups over twelve partitions. */
const data = temporaryDirectory()
const nodes: Array<Node> = []
let leader: Node
const partitions = 12

beforeAll(async () => {
  leader = await ready(franz("brokerlead", "--port", "0", "--data", join(data.path, "leader"), "-X", "group.initial.rebalance.delay.ms=0"))
  for (const id of [1, 2, 3])
    nodes.push(await ready(franz("broker", "--id", String(id), "--port", "0", "--leader", leader.address, "--data", join(data.path, `broker-${id}`))))
})
afterAll(async () => {
  for (const { process } of [...nodes, leader]) await process?.kill("SIGTERM")
  data.remove()
})

interface Described {
  readonly state: string
  readonly members: ReadonlyArray<{ readonly memberId: string; readonly partitions: ReadonlyArray<{ readonly topic: string; readonly partition: number }> }>
}
const describeGroup = async (group: string): Promise<Described> =>
  JSON.parse(await franzDoes(["group", "describe", group, "--json", "--leader", leader.address])) as Described
/** The group once it is stable with so many members: how many partitions each has. Every partition has one owner (G1). */
const shares = (group: string, members: number): Promise<ReadonlyArray<number>> =>
  until(`${group} is stable with ${members} members`, async () => {
    const found = await describeGroup(group).catch(() => undefined)
    if (found?.state !== "Stable" || found.members.length !== members) return undefined
    const owned = found.members.flatMap((member) => member.partitions.map(({ partition }) => partition))
    if (new Set(owned).size !== owned.length || owned.length !== partitions) return undefined
    return found.members.map((member) => member.partitions.length)
  })
/** Each value is its key too, so that every partition gets some. */
const produce = (topic: string, values: ReadonlyArray<string>) =>
  franzDoes(["produce", topic, "--key-separator", ":", "--leader", leader.address], values.map((value) => `${value}:${value}\n`).join(""))
const read = (consumers: ReadonlyArray<Run>) => consumers.map(({ stdout }) => linesOf(stdout))

describe("twelve partitions over three brokers", () => {
  const topic = "twelve"
  test("are on all three", async () => {
    await franzDoes(["topic", "create", topic, "--partitions", String(partitions), "--leader", leader.address])
    const described = JSON.parse(await franzDoes(["topic", "describe", topic, "--json", "--leader", leader.address])) as {
      partitions: ReadonlyArray<{ leader: number }>
    }
    const led = [1, 2, 3].map((id) => described.partitions.filter((partition) => partition.leader === id).length)
    expect(led).toEqual([4, 4, 4])
  })

  test("two members share them, a third joins, one is killed: each partition has exactly one owner in a generation", async () => {
    const group = "sharers"
    const consume = () => franz("consume", topic, "--group", group, "--from", "start", "--leader", leader.address)
    const [first, second] = [consume(), consume()]
    expect(await shares(group, 2)).toEqual([6, 6])
    const one = Array.from({ length: 120 }, (_, at) => `one-${at}`)
    await produce(topic, one)
    await until("both have read the first messages", () => read([first, second]).flat().length >= one.length)
    expect([...read([first, second]).flat()].sort()).toEqual([...one].sort())
    for (const lines of read([first, second])) expect(lines.length).toBeGreaterThan(0)

    const third = consume()
    expect(await shares(group, 3)).toEqual([4, 4, 4])
    const two = Array.from({ length: 120 }, (_, at) => `two-${at}`)
    await produce(topic, two)
    const now = () =>
      read([first, second, third])
        .flat()
        .filter((line) => line.startsWith("two-"))
    await until("all three have read the second messages", () => now().length >= two.length)
    expect([...now()].sort()).toEqual([...two].sort())
    expect(linesOf(third.stdout).length).toBeGreaterThan(0)

    await second.kill()
    expect(await shares(group, 2)).toEqual([6, 6])
    const three = Array.from({ length: 120 }, (_, at) => `three-${at}`)
    await produce(topic, three)
    const rest = () =>
      read([first, third])
        .flat()
        .filter((line) => line.startsWith("three-"))
    await until("the two that are left have read the third messages", () => rest().length >= three.length, 120_000)
    expect([...rest()].sort()).toEqual([...three].sort())
    for (const consumer of [first, third]) {
      consumer.child.kill("SIGINT")
      await consumer.end()
    }
  }, 300_000)
})

/** A member that has its partitions asks where their messages end: it would skip those that were stored before it knew. */
const fromStart = ["-X", "auto.offset.reset=earliest"]

describe("members of several kinds in one group", () => {
  testWith(["java", "kcat"], "Java, librdkafka, KafkaJS and ours share a topic by the range assignor", async () => {
    const [topic, group] = ["mixed", "mixed"]
    await franzDoes(["topic", "create", topic, "--partitions", String(partitions), "--leader", leader.address])
    const java = startJavaTool(consoleConsumer, ["--bootstrap-server", leader.address, "--topic", topic, "--group", group, "--from-beginning"])
    const kcat = Run.start("kcat", ["-b", leader.address, "-u", "-q", ...fromStart, "-X", "partition.assignment.strategy=range", "-G", group, topic])
    const ours = franz("consume", topic, "--group", group, "--from", "start", "--leader", leader.address)
    const js: Array<string> = []
    const consumer = new Kafka({ brokers: [leader.address], logLevel: logLevel.NOTHING }).consumer({ groupId: "js-alone" })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => void js.push(message.value?.toString() ?? "") })
    expect([...(await shares(group, 3))].sort()).toEqual([4, 4, 4])
    await shares("js-alone", 1)
    const values = Array.from({ length: 240 }, (_, at) => `v-${at}`)
    await produce(topic, values)
    const seen = () => [java, kcat, ours].map(({ stdout }) => linesOf(stdout))
    await until("each message was read once by the group, and once by KafkaJS", () => seen().flat().length >= values.length && js.length >= values.length)
    expect([...seen().flat()].sort()).toEqual([...values].sort())
    expect([...js].sort()).toEqual([...values].sort())
    for (const lines of seen()) expect(lines.length).toBeGreaterThan(0)
    await consumer.disconnect()
    for (const member of [java, kcat, ours]) await member.kill("SIGTERM")
  })

  testWith(["java", "kcat"], "Java, librdkafka and ours share a topic by the cooperative assignor, and ours keeps what it has when one leaves", async () => {
    const [topic, group] = ["cooperative", "cooperative"]
    await franzDoes(["topic", "create", topic, "--partitions", String(partitions), "--leader", leader.address])
    const events: Array<ConsumerEvent> = []
    const got: Array<string> = []
    const member = Effect.gen(function* () {
      const consumer = yield* Consumer.make({ leader: leader.address, from: "earliest" })
      yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) => Effect.sync(() => events.push(event))))
      yield* consumer.joinConsumerGroup(group, { assignors: ["cooperative-sticky"] })
      yield* consumer.subscribe(topic)
      yield* consumer.run(({ text }) => Effect.sync(() => got.push(text)))
    })
    const ours = Effect.runFork(Effect.scoped(member))
    await until("ours has all partitions", () => events.some((event) => event._tag === "PartitionsAssigned" && event.partitions.length === partitions))
    const kcat = Run.start("kcat", [
      "-b",
      leader.address,
      "-u",
      "-q",
      ...fromStart,
      "-X",
      "partition.assignment.strategy=cooperative-sticky",
      "-G",
      group,
      topic
    ])
    const strategy = "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
    const java = startJavaTool(consoleConsumer, [
      "--bootstrap-server",
      leader.address,
      "--topic",
      topic,
      "--group",
      group,
      "--from-beginning",
      "--command-property",
      strategy
    ])
    expect(await shares(group, 3)).toEqual([4, 4, 4])
    const revoked = () => events.flatMap((event) => (event._tag === "PartitionsRevoked" ? event.partitions : []))
    expect(revoked().length).toBe(8)
    const values = Array.from({ length: 240 }, (_, at) => `v-${at}`)
    await produce(topic, values)
    const seen = () => [...linesOf(java.stdout), ...linesOf(kcat.stdout), ...got]
    await until("each message was read once by the group", () => seen().length >= values.length)
    expect([...seen()].sort()).toEqual([...values].sort())
    for (const lines of [linesOf(java.stdout), linesOf(kcat.stdout), got]) expect(lines.length).toBeGreaterThan(0)
    await java.kill("SIGTERM")
    expect([...(await shares(group, 2))]).toEqual([6, 6])
    // It gave nothing away for that.
    expect(revoked().length).toBe(8)
    await kcat.kill("SIGTERM")
    await until(
      "ours has all partitions again",
      () => events.filter((event) => event._tag === "PartitionsAssigned").flatMap(({ partitions: of }) => of).length >= 20
    )
    expect(revoked().length).toBe(8)
    await Effect.runPromise(Fiber.interrupt(ours))
  })

  testWith(["java"], "Kafka's own group tool lists, describes, resets and deletes a group", async () => {
    const tool = (...args: ReadonlyArray<string>) =>
      run("bash", [
        "scripts/kafka-peer.sh",
        "tool",
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "--bootstrap-server",
        leader.address,
        ...args
      ])
    const topic = "tooled"
    await franzDoes(["topic", "create", topic, "--partitions", "2", "--leader", leader.address])
    await produce(topic, ["a", "b", "c"])
    await franzDoes(["consume", topic, "--group", "tooled", "--from", "start", "--max", "3", "--leader", leader.address])
    expect(await tool("--list")).toContain("tooled")
    expect(await tool("--describe", "--group", "tooled")).toMatch(/tooled\s+tooled\s+\d+/)
    expect(await tool("--reset-offsets", "--group", "tooled", "--topic", topic, "--to-earliest", "--execute")).toMatch(/tooled\s+tooled\s+0\s+0/)
    await tool("--delete", "--group", "tooled")
    expect(await tool("--list")).not.toContain("tooled")
  })
})
