import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Logger, LogLevel } from "effect"
import { groupMetadataTopic } from "../../domain/cluster/topic/group-metadata.ts"
import { defaultNodeConfig } from "../../domain/kernel/config.ts"
import { settingsOfOlderData } from "../../scripts/older-data/fill.ts"
import { topicState } from "../../scripts/torture/topic-state.ts"
import type { CopiedStream, TransferRequest } from "../../src/cli/journal/command.ts"
import { transferJournal } from "../../src/programs/journal/copy.ts"
import { EtcdCluster } from "./support/etcd.ts"
import { franz, franzDoes, ready } from "./support/franz.ts"
import { available, isRequired } from "./support/peers.ts"
import { type Run, root, run, temporaryDirectory } from "./support/process.ts"
import { type Served, served } from "./support/served.ts"

const archive = join(root, "test/interop/data/older-data")
const older = (JSON.parse(readFileSync(`${archive}.json`, "utf8")) as { readonly cluster: Served }).cluster
/** What the earlier program served, and the setting that the leader stores for all nodes when it opens an older cluster. */
const expected: Served = { ...older, nodeConfigs: { ...older.nodeConfigs, all: { ...older.nodeConfigs["all"], "min.insync.replicas": "1" } } }

describe.skipIf(!available("etcd") && !isRequired)("the journal of an earlier program's leader", () => {
  let etcd: EtcdCluster
  const data = temporaryDirectory()
  const at = (...names: ReadonlyArray<string>) => join(data.path, ...names)
  const running: Array<Run> = []
  const started = async (process: Run) => {
    running.push(process)
    return await ready(process)
  }
  const stop = async () => {
    for (const process of running.splice(0).reverse()) await process.kill("SIGTERM")
  }
  const engine = (name: string) => `${(etcd.endpoints[0] as string).replace("http:", "etcd:")}/${name}`
  /** The streams that were copied, or why not. */
  const journal = (kind: TransferRequest["kind"], from: string, to: string): Promise<ReadonlyArray<CopiedStream> | string> =>
    Effect.runPromise(
      Effect.merge(Effect.mapError(transferJournal({ kind, from, to, config: defaultNodeConfig }), ({ message }) => message)).pipe(
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    )
  const old = at("cluster", "leader")
  const settings = [...settingsOfOlderData, "-X", "broker.session.timeout.ms=1000", "-X", "franz.leader.lease.ms=10000"]
  const lead = (directory: string, ...more: ReadonlyArray<string>) =>
    franz("brokerlead", "--id", "100", "--port", "0", "--data", directory, ...settings, ...more)
  /** Starts the leader with the older brokers, and compares what clients see with what they saw then. */
  const serves = async (leader: Run, under = at("cluster"), isReady: (address: string) => Promise<boolean> = async () => true) => {
    const { address } = await started(leader)
    const broker = (id: string, directories: string) => franz("broker", "--id", id, "--port", "0", "--leader", address, "--data", directories, ...settings)
    await Promise.all([started(broker("1", join(under, "broker-1"))), started(broker("2", `${join(under, "broker-2a")},${join(under, "broker-2b")}`))])
    while (!(await isReady(address))) await Bun.sleep(50)
    // A partition says where it ends when its leader has found its high watermark.
    let found = await served(address)
    for (let again = 0; again < 10 && !Bun.deepEquals(found, expected); again++) found = await served(address)
    expect(found).toEqual(expected)
  }

  beforeAll(async () => {
    etcd = await EtcdCluster.start(1)
    await run("tar", ["-xzf", `${archive}.tar.gz`, "-C", data.path])
  }, 120_000)
  afterAll(async () => {
    await stop()
    await etcd.stop()
    data.remove()
  })

  test("goes to files and engines and back with the same digests, and never over another journal", async () => {
    const exported = await journal("export", old, at("backup"))
    expect(exported).toHaveLength(5)
    expect(await journal("export", old, at("backup"))).toContain("exists. Nothing was changed")
    expect(await journal("move", old, engine("moved"))).toEqual(exported)
    expect(await journal("copy", old, engine("moved-again"))).toContain("has no journal of a leader")
    expect(await journal("import", at("missing"), engine("none"))).toMatch(/missing: ENOENT/)

    expect(await journal("import", at("backup"), engine("restored"))).toEqual(exported)
    expect(await journal("import", at("backup"), engine("restored"))).toContain("has a journal. Nothing was changed")
    expect(await journal("move", engine("restored"), at("home"))).toEqual(exported)
    expect(await journal("export", at("home"), at("again"))).toEqual(exported)
    expect(readFileSync(at("again"))).toEqual(readFileSync(at("backup")))
    expect(await journal("copy", engine("moved"), at("home"))).toContain("has a journal. Nothing was changed")
    expect(await franzDoes(["log", "verify", at("home")])).toMatch(/logs are right/)
  }, 300_000)

  test("is served from etcd with everything in it, and not from the directory that it was in", async () => {
    const atOld = await lead(old).end()
    expect([atOld.code, atOld.stderr]).toEqual([65, expect.stringContaining(`It was moved to ${engine("moved")} (franz journal move)`)])
    // The refused start has changed nothing: the way back is free, and the journal can leave again.
    expect(await journal("move", engine("moved"), old)).toHaveLength(5)
    expect(await journal("move", old, engine("second"))).toHaveLength(5)
    await serves(lead(old, "-X", `franz.journal=${engine("second")}`))
    // From a cluster that runs: its leader has appended since.
    expect(await journal("export", engine("second"), at("later"))).toHaveLength(5)
    expect(await journal("move", engine("second"), at("back"))).toMatch(/is led in etcd .*Stop all candidates/)
  }, 300_000)

  test("hands its groups over to the brokers, once, and is moved to etcd afterwards: everything is there each time", async () => {
    await run("mkdir", ["-p", at("second")])
    await run("tar", ["-xzf", `${archive}.tar.gz`, "-C", at("second")])
    const [directory, under] = [at("second", "cluster", "leader"), at("second", "cluster")]
    const byBrokers = ["franz.groups.engine=partitions", "offsets.topic.replication.factor=2"].flatMap((setting) => ["-X", setting])
    const isHandedOver = async (address: string) => {
      const port = Number(address.split(":")[1])
      const [state] = await topicState(port, groupMetadataTopic).catch(() => [])
      return state?.inSync.length === 2
    }
    await serves(lead(directory, ...byBrokers), under, isHandedOver)
    await stop()
    expect(await journal("move", directory, engine("handed-over"))).toHaveLength(5)
    // The setting was needed once.
    await serves(lead(directory, "-X", `franz.journal=${engine("handed-over")}`), under, isHandedOver)
  }, 300_000)
})
