import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { freePort } from "../../scripts/bench/port.ts"
import { EtcdCluster } from "./support/etcd.ts"
import { franz, franzDoes, ready, up } from "./support/franz.ts"
import { available, isRequired, javaTool, linesOf } from "./support/peers.ts"
import { type Run, temporaryDirectory, until } from "./support/process.ts"

/** Longer than the default: a busy machine must not end a lease in the middle of a test. */
const lease = ["-X", "franz.leader.lease.ms=10000"]
const isThere = available("etcd")
let etcd: EtcdCluster

const journalAt = (prefix: string): string => `etcd://${etcd.endpoints.map((endpoint) => endpoint.replace("http://", "")).join(",")}${prefix}`

describe.skipIf(!isThere && !isRequired)("candidates for the leader's role over three members of etcd", () => {
  beforeAll(async () => {
    etcd = await EtcdCluster.start(3)
  }, 120_000)
  afterAll(() => etcd.stop())

  test("M4, M5: a standby takes over from a leader that is killed and from one that is stopped past its lease, and every topic is there", async () => {
    const data = temporaryDirectory()
    const ports = [await freePort(), await freePort()]
    const candidate = (n: number): Run =>
      franz(
        "brokerlead",
        "--id",
        String(100 + n),
        "--port",
        String(ports[n]),
        "--data",
        `${data.path}/leader-${n}`,
        "-X",
        `franz.journal=${journalAt("/takeover")}`,
        ...lease
      )
    const leader = ports.map((port) => `127.0.0.1:${port}`).join(",")
    const first = candidate(0)
    await first.says(/^ready/m)
    const second = candidate(1)
    await second.says(/node 100 leads .*node 101 stands by/)
    await second.says(/^ready/m)
    const broker = franz("broker", "--id", "1", "--port", "0", "--data", `${data.path}/broker`, "--leader", leader)
    const address = (await broker.says(/broker 1: (\S+)\n/))[1] as string
    await broker.says(/^ready/m)
    const create = (topic: string, at = address) => franz("topic", "create", topic, "--leader", at).end()
    const created = (topic: string) => until(`topic ${topic} is created`, async () => (await create(topic)).code === 0)
    expect(await create("before")).toMatchObject({ code: 0 })
    // A client that meets a standby first is told of the broker.
    expect(await create("through-standby", `127.0.0.1:${ports[1]}`)).toMatchObject({ code: 0 })

    await first.kill()
    await created("after-kill")
    await second.says(/leader 101 of cluster/)

    const again = candidate(0)
    await again.says(/node 101 leads .*node 100 stands by/)
    second.child.kill("SIGSTOP")
    await again.says(/leader 100 of cluster/)
    await created("after-stop")
    second.child.kill("SIGCONT")
    await second.says(/This node stops leading/)
    await second.says(/node 100 leads .*node 101 stands by/)
    await created("at-last")

    const topics = await franz("topic", "list", "--leader", address).end()
    expect(linesOf(topics.stdout).map((line) => line.split(/\s/)[0])).toEqual(
      expect.arrayContaining(["before", "through-standby", "after-kill", "after-stop", "at-last"])
    )
    for (const run of [broker, again, second]) await run.kill("SIGTERM")
    data.remove()
  }, 300_000)

  test("a process with both roles that leads and is stopped past its lease stands by, and its broker serves on", async () => {
    const data = temporaryDirectory()
    const ports = [await freePort(), await freePort()] as const
    const settings = [
      `franz.journal=${journalAt("/united")}`,
      `controller.quorum.bootstrap.servers=${ports.map((port) => `127.0.0.1:${port}`).join(",")}`,
      "franz.leader.lease.ms=4000",
      // So that no session shows that a broker has ended.
      "broker.session.timeout.ms=120000",
      "default.replication.factor=2",
      "min.insync.replicas=1"
    ].flatMap((setting) => ["-X", setting])
    const start = (nth: 0 | 1): Run =>
      franz("up", "--data", `${data.path}/${nth}`, "-X", `node.id=${100 * (nth + 1)}`, "-X", `listeners=PLAINTEXT://127.0.0.1:${ports[nth]}`, ...settings)
    const first = start(0)
    await first.says(/^leader 100: \S+\nbroker 101: \S+\nready$/m, 120_000)
    const second = start(1)
    const [, address = ""] = await second.says(/^broker 201: (\S+)$/m, 120_000)
    await second.says(/^ready$/m)
    await second.says(/node 100 leads .*node 200 stands by/)
    const [, own = ""] = await first.says(/^broker 101: (\S+)$/m)
    await franzDoes(["topic", "create", "orders", "--leader", address])
    await franzDoes(["produce", "orders", "--leader", own], "one\n")

    first.child.kill("SIGSTOP")
    await second.says(/leader 200 of cluster/)
    await until("a topic is created", async () => (await franz("topic", "create", "payments", "--leader", address).end()).code === 0)
    first.child.kill("SIGCONT")
    await first.says(/This node stops leading/)
    await first.says(/node 200 leads .*node 100 stands by/)
    // Through the broker beside the candidate that stands by: records, and what only the leader decides.
    await until("broker 101 creates a topic", async () => (await franz("topic", "create", "refunds", "--leader", own).end()).code === 0)
    await franzDoes(["produce", "orders", "--leader", own], "two\n")
    expect(linesOf(await franzDoes(["consume", "orders", "--from", "start", "--max", "2", "--leader", own])).toSorted()).toEqual(["one", "two"])

    // The leader's broker ends with it, and never had a connection to the next leader.
    await second.kill("SIGKILL")
    await first.says(/broker 201 at \S+ is gone, since its address refuses connections: fenced/)
    await franzDoes(["produce", "orders", "--leader", own], "three\n")
    await first.kill("SIGTERM")
    expect(await first.ended).toBe(0)
    data.remove()
  }, 300_000)

  test.skipIf(!available("java") && !isRequired)(
    "kafka-metadata-quorum describes three candidates, through a standby and through a broker",
    async () => {
      const data = temporaryDirectory()
      const ids = [201, 202, 203]
      const start = (id: number) =>
        ready(
          franz("brokerlead", "--id", String(id), "--port", "0", "--data", `${data.path}/leader-${id}`, "-X", `franz.journal=${journalAt("/quorum")}`, ...lease)
        )
      const candidates = [await start(201), ...(await Promise.all([start(202), start(203)]))]
      const leader = candidates.map(({ address }) => address).join(",")
      const broker = await ready(franz("broker", "--id", "1", "--port", "0", "--data", `${data.path}/broker`, "--leader", leader))
      const ask = (option: string, address: string, what: string) =>
        javaTool("org.apache.kafka.tools.MetadataQuorumCommand", [option, address, "describe", what])
      const asked = [["--bootstrap-server", broker.address] as const, ["--bootstrap-controller", candidates[2]?.address ?? ""] as const]
      for (const [option, address] of asked) {
        const status = await until(`all candidates are voters at ${address}`, async () => {
          const found = await ask(option, address, "--status")
          return ids.every((id) => found.includes(`"id": ${id}`)) && found
        })
        expect(status).toMatch(/LeaderId:\s+201/)
        expect(status).toMatch(/LeaderEpoch:\s+0/)
      }
      const [option, address] = asked[1] as (typeof asked)[number]
      const rows = linesOf(await ask(option, address, "--replication")).map((line) => line.trim().split(/\s+/))
      expect(rows.flatMap((row) => (ids.includes(Number(row[0])) ? [[row[0], row.at(-1)]] : [])).toSorted()).toEqual([
        ["201", "Leader"],
        ["202", "Follower"],
        ["203", "Follower"]
      ])
      // A change that Kafka's tool is to make at a standby goes to the leader, which DescribeCluster names.
      const configs = ["--bootstrap-controller", address, "--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.cleaner.threads=2"]
      expect(await javaTool("kafka.admin.ConfigCommand", configs)).toContain("Completed updating default config for brokers")
      for (const { process } of [broker, ...candidates]) await process.kill("SIGTERM")
      data.remove()
    },
    300_000
  )

  test("what is wrong is said in one line: an address without etcd, another cluster's prefix, a directory whose journal is elsewhere, roles in one process", async () => {
    const data = temporaryDirectory()
    const lead = (directory: string, journal: string) =>
      franz("brokerlead", "--port", "0", "--data", `${data.path}/${directory}`, "-X", `franz.journal=${journal}`, ...lease)
    const port = await freePort()
    const nowhere = lead("nowhere", `etcd://127.0.0.1:${port}/x`)
    await nowhere.says(new RegExp(`Waiting for the journal: http://127.0.0.1:${port}: .*Is etcd running there`))
    await nowhere.kill()

    const own = lead("own", journalAt("/own"))
    await own.says(/leader 0 of cluster/)
    const other = lead("other", journalAt("/other"))
    await other.says(/leader 0 of cluster/)
    await Promise.all([own.kill(), other.kill()])
    const swapped = await lead("own", journalAt("/other")).end()
    expect(swapped.stderr).toMatch(
      /\/other has the journal of cluster \S+, and this node's directory is of cluster \S+\. Give each cluster a prefix of its own/
    )
    const empty = await lead("own", journalAt("/empty")).end()
    expect(empty.stderr).toMatch(/\/empty has no journal, and this node's directory is of cluster \S+\. `franz journal move`/)
    expect([swapped.code, empty.code]).toEqual([65, 65])

    const misspelt = await lead("misspelt", "etcd://h:2379").end()
    expect(misspelt.stderr).toMatch(/franz.journal.*expected .*etcd:\/\/HOST:PORT,HOST:PORT\/PREFIX/)
    const both = await franz("up", "--port", "0", "--data", `${data.path}/both`, "-X", `franz.journal=${journalAt("/own")}`).end()
    expect([both.code, both.stderr]).toEqual([78, expect.stringContaining("node.id must be set")])
    data.remove()
  }, 300_000)

  test("a journal moves from a directory to etcd and back, with its topics, groups and indexes, and never over another", async () => {
    const data = temporaryDirectory()
    const [home, backup] = [`${data.path}/home`, `${data.path}/backup`]
    const old = await up(home)
    await franzDoes(["topic", "create", "orders", "--leader", old.address])
    await franzDoes(["produce", "orders", "--leader", old.address], "one\ntwo\n")
    await franzDoes(["consume", "orders", "--group", "g", "--from", "start", "--max", "2", "--leader", old.address])
    const committed = await franzDoes(["group", "describe", "g", "--leader", old.address])
    await old.process.kill("SIGTERM")

    const engine = journalAt("/moved")
    const copied = await franzDoes(["journal", "copy", "--from", home, "--to", engine, "--json"])
    expect(linesOf(copied).length).toBe(5)
    const twice = await franz("journal", "copy", "--from", home, "--to", engine).end()
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining("has a journal. Nothing was changed")])
    expect(await franzDoes(["journal", "copy", "--from", engine, "--to", backup, "--json"])).toBe(copied)
    const verified = await franz("log", "verify", backup).end()
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("__cluster_metadata")])

    const leads = franz(
      "brokerlead",
      "--id",
      "100",
      "--port",
      String(await freePort()),
      "--data",
      `${data.path}/lead`,
      "-X",
      `franz.journal=${engine}`,
      ...lease
    )
    const { address: leader } = await ready(leads)
    const broker = franz("broker", "--id", "0", "--port", "0", "--data", `${home}/broker-0`, "--leader", leader)
    const { address } = await ready(broker)
    expect(await franzDoes(["consume", "orders", "--max", "2", "--leader", address])).toBe("one\ntwo\n")
    expect(await franzDoes(["group", "describe", "g", "--leader", address])).toBe(committed)
    for (const run of [broker, leads]) await run.kill("SIGTERM")
    data.remove()
  }, 300_000)
})
