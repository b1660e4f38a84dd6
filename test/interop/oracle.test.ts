import { afterAll, beforeAll, describe, expect } from "bun:test"
import { join } from "node:path"
import { freePort, kafkaAvailable } from "../../scripts/bench/broker.ts"
import { type Node, up } from "./support/franz.ts"
import { accepted, judged } from "./support/oracle/accepted.ts"
import { type Difference, differences } from "./support/oracle/normal.ts"
import { before, scenarios } from "./support/oracle/scenarios.ts"
import { Side } from "./support/oracle/side.ts"
import { testWith } from "./support/peers.ts"
import { root, run, temporaryDirectory } from "./support/process.ts"

/**
 * The same requests to our node and to Apache Kafka, and their answers compared field by field. What each draws for itself (ids, ports, times) is put
 * aside; what differs besides is a fault, unless support/oracle/accepted.ts says why it stays.
 */
const peer = join(root, "scripts/kafka-peer.sh")
const data = temporaryDirectory()
let kafkaPort: number | undefined
let node: Node | undefined
const sides: Array<Side> = []

beforeAll(async () => {
  if (!kafkaAvailable()) return
  kafkaPort = await freePort()
  await run("bash", [peer, "start", String(kafkaPort)])
  node = await up(data.path, "-X", "node.id=1", "-X", "group.initial.rebalance.delay.ms=0")
  for (const port of [node.port, kafkaPort]) {
    const side = await Side.open(port)
    await side.begin("before")
    await before(side)
    sides.push(side)
  }
}, 240_000)
afterAll(async () => {
  for (const side of sides) side.close()
  await node?.process.kill("SIGTERM")
  if (kafkaPort !== undefined) await run("bash", [peer, "stop", String(kafkaPort)])
  data.remove()
}, 60_000)

const between = ([ours, kafkas]: ReadonlyArray<Side>): ReadonlyArray<Difference> => {
  if (ours === undefined || kafkas === undefined) throw new Error("one of the two is not there")
  const labels = new Set([...ours.trace.keys(), ...kafkas.trace.keys()])
  return [...labels].flatMap((label) => differences(label, ours.trace.get(label), kafkas.trace.get(label)))
}

describe("beside Apache Kafka", () => {
  for (const [name, scenario] of Object.entries(scenarios))
    testWith(["java"], name, async () => {
      for (const side of sides) {
        await side.begin(name)
        await scenario(side)
      }
      expect(judged(between(sides)).unexpected.filter(({ at }) => at.startsWith(`${name}/`))).toEqual([])
    })

  testWith(["java"], "every accepted difference is still there, and says why", async () => {
    expect(judged(between(sides)).idle).toEqual([])
    expect(accepted.filter(({ why }) => !why.endsWith("."))).toEqual([])
  })
})
