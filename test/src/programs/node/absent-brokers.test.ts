import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Logger } from "effect"
import { soleListenerAt } from "../../../../domain/kernel/config/listener.ts"
import { defaultNodeConfig } from "../../../../domain/kernel/config.ts"
import { absentWarning } from "../../../../src/programs/node/absent-brokers.ts"
import { startUp } from "../../../../src/programs/node/nodes.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import { linkTo } from "../damage-world.ts"

const parent = mkdtempSync(join(tmpdir(), "franz-absent-"))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

/** The partitions of groups would be counted too, once the leader has made them. */
const config = { ...defaultNodeConfig, "franz.groups.engine": "leader" }

/** A node on a slow machine may warn of other things, of a disk for example. */
const isOfBrokers = (line: string): boolean => / not started: | starts with an empty data directory /.test(line)

/** Starts so many brokers over the directory, lets `use` have the first one's address, and stops them; the warnings of absent brokers and lost directories. */
const life = async (data: string, brokers: number, use: (address: string) => Effect.Effect<unknown, unknown, any> = () => Effect.void) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (logLevel.label === "WARN" && isOfBrokers(String(message)) && lines.push(String(message))))
  await Effect.runPromise(
    startUp({ config, listeners: soleListenerAt({ host: "127.0.0.1", port: 0 }), data: [data], brokers }).pipe(
      Effect.flatMap(({ nodes }) => use(nodes[0]?.address ?? "")),
      Effect.scoped,
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    ) as Effect.Effect<void>
  )
  return lines
}
const topicOf = (name: string, replicationFactor: number) => ({ name, numPartitions: 6, replicationFactor, assignments: [], configs: [] })
const createTopic = (address: string) =>
  Effect.flatMap(linkTo(address), (link) => link.call(CreateTopics, { topics: [topicOf("orders", 1)], timeoutMs: 60_000 }))

const createReplicated = (address: string) =>
  Effect.flatMap(linkTo(address), (link) => link.call(CreateTopics, { topics: [topicOf("orders", 1), topicOf("copied", 3)], timeoutMs: 60_000 }))

describe("data of more brokers than were started", () => {
  test("names them, what that means, and the command; a broker that lost its directory says so", async () => {
    const data = join(parent, "data")
    expect(await life(data, 3, createTopic)).toEqual([])
    expect(await life(data, 1)).toEqual([
      `Brokers 1 and 2 have 4 partitions of this cluster and are not started: no client can read or write them. \`franz up --brokers 3 --data ${data}\` starts them.`
    ])
    expect(await life(data, 3)).toEqual([])
    rmSync(join(data, "broker-2"), { recursive: true })
    const [absent = ""] = await life(data, 1)
    expect(absent).toContain(`${join(data, "broker-2")} is missing: mount or restore it first`)
    const [lost = ""] = await life(data, 3)
    expect(lost).toStartWith(`Broker 2 starts with an empty data directory (${join(data, "broker-2")}), and the cluster has 2 partitions on it`)
  }, 300_000)
  test("partitions that a started broker has too are served, with fewer copies", async () => {
    const data = join(parent, "replicated")
    expect(await life(data, 3, createReplicated)).toEqual([])
    expect(await life(data, 1)).toEqual([
      `Brokers 1 and 2 have 10 partitions of this cluster and are not started: no client can read or write 4 of them, and 6 have fewer copies. \`franz up --brokers 3 --data ${data}\` starts them.`
    ])
    const two = [1, 2].map((id) => ({ id, directory: `/d/broker-${id}`, hasDirectory: true }))
    expect(absentWarning({ brokers: two, unserved: 0, fewerCopies: 4 }, 0, "--data /d")).toBe(
      "Brokers 1 and 2 have 4 partitions of this cluster and are not started: they have fewer copies. `franz up --brokers 3 --data /d` starts them."
    )
  }, 300_000)
  test("many are counted, and ids that are in no row are started one by one", () => {
    const brokers = Array.from({ length: 30 }, (_, at) => ({ id: at + 1, directory: `/d/broker-${at + 1}`, hasDirectory: true }))
    expect(absentWarning({ brokers, unserved: 30, fewerCopies: 0 }, 0, "--data /d")).toStartWith(
      "Brokers 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10 and 20 more have 30 partitions"
    )
    const three = [{ id: 3, directory: "/d/broker-3", hasDirectory: true }]
    expect(absentWarning({ brokers: three, unserved: 1, fewerCopies: 0 }, 5, "--data /d")).toBe(
      "Broker 3 has 1 partition of this cluster and is not started: no client can read or write it. `franz broker --id ID --leader HOST:PORT --data DIR` starts each."
    )
  })
})
