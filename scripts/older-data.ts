/**
 * `bun scripts/older-data.ts`: makes the data directories of the present program that later programs must open (test/interop/older-data.test.ts), packed as
 * test/interop/data/older-data.tar.gz, and beside them what must be served from them (older-data.json). It was run once. To run it again would test a program
 * against itself: when a format changes, give the new data names of their own and keep these.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { served } from "../test/interop/support/served.ts"
import { fillCluster, fillNode, settingsOfOlderData } from "./older-data/fill.ts"
import { finish, run, startNode } from "./older-data/process.ts"

const root = join(import.meta.dir, "..")
const to = join(root, "test/interop/data")
const commit = (await run("git", ["describe", "--always", "--exclude=*"])).trim()
const directory = mkdtempSync(join(tmpdir(), "franz-older-data-"))

// One process with one data directory, stopped cleanly.
const up = await startNode("up", "--port", "0", "--data", join(directory, "node"), ...settingsOfOlderData)
const repeated = await fillNode(up.address, join(directory, "node"))
const node = await served(up.address)
await finish(up, "SIGTERM")

// A leader and two brokers, one of them with two directories, all killed: nothing of what they wrote last was synced by a close.
const leader = await startNode("brokerlead", "--id", "100", "--port", "0", "--data", join(directory, "cluster/leader"), ...settingsOfOlderData)
const brokerData = [join(directory, "cluster/broker-1"), `${join(directory, "cluster/broker-2a")},${join(directory, "cluster/broker-2b")}`]
const brokers = []
for (const [at, data] of brokerData.entries())
  brokers.push(await startNode("broker", "--id", String(at + 1), "--port", "0", "--leader", leader.address, "--data", data, ...settingsOfOlderData))
await fillCluster(leader.address)
const cluster = await served(leader.address)
for (const each of [...brokers, leader]) await finish(each, "SIGKILL")

await run("tar", [
  "--sort=name",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--exclude=lock",
  "-C",
  directory,
  "-czf",
  join(to, "older-data.tar.gz"),
  "node",
  "cluster"
])
writeFileSync(join(to, "older-data.json"), JSON.stringify({ commit, node, cluster, repeated }, null, 2))
await run(join(root, "node_modules/.bin/biome"), ["format", "--write", join(to, "older-data.json")])
rmSync(directory, { recursive: true, force: true })
// Members of groups still ask for their nodes.
process.exit(0)
