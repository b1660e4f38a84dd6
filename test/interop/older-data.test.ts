import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { settingsOfOlderData } from "../../scripts/older-data/fill.ts"
import { Consumer, Producer } from "../../src/programs/library.ts"
import { franz, franzDoes, type Node, ready, up } from "./support/franz.ts"
import { linesOf, runKcat, testWith } from "./support/peers.ts"
import { root, run, temporaryDirectory } from "./support/process.ts"
import { RawConnection } from "./support/raw.ts"
import { type Served, served } from "./support/served.ts"

/** Data directories that an earlier program made (scripts/older-data.ts), and what it served from them. They are never made again: see there. */
interface OlderData {
  readonly commit: string
  readonly node: Served
  readonly cluster: Served
  readonly repeated: { readonly frame: string; readonly baseOffset: number }
}
const archive = join(root, "test/interop/data/older-data")
const older = JSON.parse(readFileSync(`${archive}.json`, "utf8")) as OlderData
const data = temporaryDirectory()
const running: Array<Node> = []
const started = async (node: Promise<Node>): Promise<Node> => {
  running.push(await node)
  return node
}
const stop = async () => {
  for (const { process } of running.splice(0).reverse()) await process.kill("SIGTERM")
}
beforeAll(async () => {
  await run("tar", ["-xzf", `${archive}.tar.gz`, "-C", data.path])
})
afterAll(async () => {
  await stop()
  data.remove()
})

const isRight = async (...directories: ReadonlyArray<string>) => {
  for (const directory of directories) expect(await franzDoes(["log", "verify", join(data.path, directory)])).toMatch(/log(s are| is) right/)
}
/** The next message of the group's only member, which takes the place of the static member that the data hold. */
const nextPositions = (leader: string, topic: string) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const consumer = yield* Consumer.make({ leader, from: "earliest", commitIntervalMs: "never" })
        yield* consumer.joinConsumerGroup("active", { instanceId: "reader-1", sessionTimeoutMs: 6000 })
        yield* consumer.subscribe(topic)
        const first = new Map<number, number>()
        const partitions = () => consumer.positions.pipe(Effect.map((positions) => positions.length))
        while ((yield* partitions()) === 0 || first.size < (yield* partitions()))
          for (const { offset, partition } of yield* consumer.poll({ timeoutMs: 250 })) first.set(partition, Math.min(offset, first.get(partition) ?? offset))
        return first
      })
    )
  )
const committed = (of: Served, group: string) =>
  new Map(of.groups.find((each) => each.group === group)?.offsets.map(({ offset, partition }) => [partition, Number(offset)]))
/** Produces a message to each partition; returns their offsets. */
const write = (leader: string, topic: string, partitions: number) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const producer = yield* Producer.make({ leader })
        const offsets = []
        for (let partition = 0; partition < partitions; partition++) offsets.push((yield* producer.sendMessage(topic, "written later", { partition })).offset)
        return offsets
      })
    )
  )
const ends = (of: Served, topic: string) => of.topics.find(({ name }) => name === topic)?.partitions.map(({ end }) => end) ?? []

/** What an earlier program served, and the setting that the leader stores for all nodes when it opens an older cluster. */
const opened = (of: Served): Served => ({ ...of, nodeConfigs: { ...of.nodeConfigs, all: { ...of.nodeConfigs["all"], "min.insync.replicas": "1" } } })

describe("a data directory of an earlier program, stopped cleanly", () => {
  test("has valid logs, and clients see the same data", async () => {
    await isRight("node")
    const { address } = await started(up(join(data.path, "node"), ...settingsOfOlderData))
    expect(await served(address)).toEqual(opened(older.node))
  }, 120_000)
  testWith(["kcat"], "is read by librdkafka to the same ends", async () => {
    const of = older.node.topics.filter(({ name }) => ["orders", "latest", "trimmed"].includes(name))
    for (const { name, partitions } of of) {
      const found = linesOf(await runKcat(["-b", running[0]?.address ?? "", "-C", "-t", name, "-o", "beginning", "-e", "-q", "-f", "%p %o\\n"]))
      expect([name, found.length]).toEqual([name, partitions.reduce((sum, { records }) => sum + records, 0)])
    }
  })
  test("keeps its producers' state: a repeated request gets its first response", async () => {
    const connection = await RawConnection.open(running[0]?.port ?? 0)
    connection.send(Buffer.from(older.repeated.frame, "base64"))
    const answer = Buffer.from(await connection.frame())
    connection.close()
    // Produce 7: correlation id, one topic with its name, one partition with its index, then the error code and the base offset.
    const at = 4 + 4 + 2 + "repeated".length + 4 + 4
    expect([answer.readInt16BE(at), Number(answer.readBigInt64BE(at + 2))]).toEqual([0, older.repeated.baseOffset])
  })
  test("accepts new records, its group continues at its offsets, and its logs are valid afterwards", async () => {
    const address = running[0]?.address ?? ""
    expect(await write(address, "orders", 3)).toEqual([...ends(older.node, "orders")])
    expect(await nextPositions(address, "orders")).toEqual(committed(older.node, "active"))
    await stop()
    await isRight("node")
  }, 120_000)
})

describe("the data directories of a leader and two brokers that were killed", () => {
  const brokers = ["broker-1", "broker-2a", "broker-2b"]
  test("have valid logs, and clients see the same data", async () => {
    await isRight("cluster/leader", ...brokers.map((broker) => `cluster/${broker}`))
    expect(brokers.every((broker) => existsSync(join(data.path, "cluster", broker)))).toBe(true)
    // The brokers restart at other addresses: the leader accepts them when their old sessions have expired.
    const settings = [...settingsOfOlderData, "-X", "broker.session.timeout.ms=1000"]
    const at = (directory: string) => join(data.path, "cluster", directory)
    const leader = await started(ready(franz("brokerlead", "--id", "100", "--port", "0", "--data", at("leader"), ...settings)))
    const broker = (id: string, directories: string) =>
      ready(franz("broker", "--id", id, "--port", "0", "--leader", leader.address, "--data", directories, ...settings))
    await Promise.all([started(broker("1", at("broker-1"))), started(broker("2", `${at("broker-2a")},${at("broker-2b")}`))])
    expect(await served(leader.address)).toEqual(opened(older.cluster))
  }, 120_000)
  test("accept new records, their group continues at its offsets, and their logs are valid afterwards", async () => {
    const address = running[0]?.address ?? ""
    expect(await write(address, "spread", 6)).toEqual([...ends(older.cluster, "spread")])
    expect(await nextPositions(address, "spread")).toEqual(committed(older.cluster, "active"))
    await stop()
    await isRight("cluster/leader", ...brokers.map((broker) => `cluster/${broker}`))
  }, 120_000)
})
