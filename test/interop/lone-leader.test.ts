import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import { franz, franzDoes, type Node, ready } from "./support/franz.ts"
import { javaTool, testWith } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"

/** A leader in a separate process, which Metadata does not list, and two brokers. */
const data = temporaryDirectory()
let leader: Node
const brokers: Array<Node> = []

beforeAll(async () => {
  leader = await ready(franz("brokerlead", "--id", "100", "--port", "0", "--data", join(data.path, "leader"), "-X", "group.initial.rebalance.delay.ms=0"))
  for (const id of [1, 2])
    brokers.push(await ready(franz("broker", "--id", String(id), "--port", "0", "--leader", leader.address, "--data", join(data.path, `broker-${id}`))))
})
afterAll(async () => {
  for (const { process } of [...brokers, leader]) await process?.kill("SIGTERM")
  data.remove()
})
const does = (...args: ReadonlyArray<string>) => franzDoes([...args, "--leader", leader.address])

describe("given a client that starts from the leader's port", () => {
  const kafka = () => new Kafka({ brokers: [leader.address], logLevel: logLevel.NOTHING })

  test("Metadata lists the brokers alone, and the client may place a replica on each of them", async () => {
    const admin = kafka().admin()
    await admin.connect()
    const cluster = await admin.describeCluster()
    expect(cluster.brokers.map(({ nodeId }) => nodeId).sort()).toEqual([1, 2])
    expect([1, 2]).toContain(cluster.controller as number)
    const replicaAssignment = cluster.brokers.map(({ nodeId }, partition) => ({ partition, replicas: [nodeId] }))
    expect(await admin.createTopics({ topics: [{ topic: "probe", replicaAssignment }] })).toBe(true)
    await admin.disconnect()
  })
  test("its groups are coordinated through brokers, and each is listed once", async () => {
    await does("topic", "create", "words", "--partitions", "2")
    const read: Array<string> = []
    const consumers = ["one", "two", "three", "four"].map((groupId) => kafka().consumer({ groupId, maxWaitTimeInMs: 100 }))
    for (const consumer of consumers) {
      await consumer.connect()
      await consumer.subscribe({ topic: "words", fromBeginning: true })
      await consumer.run({ eachMessage: async ({ message }) => void read.push(String(message.value)) })
    }
    await franzDoes(["produce", "words", "--leader", leader.address], "a\nb\n")
    await until("each group has read both", () => read.length >= 8)
    expect([...read].sort()).toEqual(["a", "a", "a", "a", "b", "b", "b", "b"])
    const admin = kafka().admin()
    await admin.connect()
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId).sort()).toEqual(["four", "one", "three", "two"])
    expect((await admin.fetchOffsets({ groupId: "one", topics: ["words"] }))[0]?.partitions.length).toBe(2)
    await admin.disconnect()
    for (const consumer of consumers) await consumer.disconnect()
  })
  test("it can read the leader's journal all the same", async () => expect(await does("cluster", "events")).toContain("LeaderElected"))
  testWith(["java"], "Kafka's tools describe the directories of all brokers", async () => {
    const described = await javaTool("org.apache.kafka.tools.LogDirsCommand", ["--bootstrap-server", leader.address, "--describe"])
    expect(described).toContain('"broker":1')
    expect(described).toContain('"broker":2')
    expect(described).not.toContain('"broker":100')
  })
})

describe("brokers that will not restart", () => {
  const list = async () =>
    (await does("broker", "list", "--json"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly id: number; readonly isFenced: boolean; readonly partitions: number })
  const refusal = async (...args: ReadonlyArray<string>) => String(await does("broker", "remove", ...args).catch((fault: unknown) => fault))

  test("a broker is removed only when it is fenced, by force if it has partitions, and may register again", async () => {
    expect(await refusal("2")).toContain("stop it first")
    expect(await refusal("9")).toContain("not registered")
    await brokers.pop()?.process.kill("SIGTERM")
    await until("broker 2 is fenced", async () => (await list()).find(({ id }) => id === 2)?.isFenced)
    expect(await refusal("2")).toContain("--force")
    expect(await does("broker", "remove", "2", "--force")).toContain("removed")
    expect((await list()).map(({ id }) => id)).toEqual([1])
    brokers.push(await ready(franz("broker", "--id", "2", "--port", "0", "--leader", leader.address, "--data", join(data.path, "broker-2"))))
    expect((await list()).map(({ id, isFenced, partitions }) => [id, isFenced, partitions > 0])).toEqual([
      [1, false, true],
      [2, false, true]
    ])
  })
  testWith(["java"], "Kafka's own tool unregisters one", async () => {
    await brokers.pop()?.process.kill("SIGTERM")
    await until("broker 2 is fenced", async () => (await list()).find(({ id }) => id === 2)?.isFenced)
    await javaTool("org.apache.kafka.tools.ClusterTool", ["unregister", "--bootstrap-server", leader.address, "--id", "2"])
    expect((await list()).map(({ id }) => id)).toEqual([1])
  })
})
