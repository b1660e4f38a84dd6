import { join } from "node:path"
import { freePort } from "../../../../scripts/bench/port.ts"
import { type Node, up } from "../franz.ts"
import { root, run, temporaryDirectory } from "../process.ts"
import { type Difference, differences } from "./normal.ts"
import { before, scenarios } from "./scenarios.ts"
import { Side } from "./side.ts"

const peer = join(root, "scripts/kafka-peer.sh")

/**
 * Settings of both. The cleaner runs all the time, so that a scenario waits for it and not for a clock. Retention never runs: the records of many scenarios are
 * of 1970, and Kafka would delete them 30 s after its start.
 */
const shared = [
  "group.initial.rebalance.delay.ms=0",
  "num.partitions=1",
  "log.cleaner.backoff.ms=100",
  "log.retention.check.interval.ms=86400000",
  "log.initial.task.delay.ms=86400000"
]

/** A node of ours and one of Apache Kafka, with the same requests. Values that each chooses (ids, ports, times) are not compared; all other differences count. */
export class Comparison {
  private constructor(
    private readonly sides: readonly [ours: Side, kafkas: Side],
    private readonly end: () => Promise<void>
  ) {}

  static async open(): Promise<Comparison> {
    const data = temporaryDirectory()
    const kafkaPort = await freePort()
    let node: Node | undefined
    const end = async (): Promise<void> => {
      await node?.process.kill("SIGTERM")
      await run("bash", [peer, "stop", String(kafkaPort)])
      data.remove()
    }
    try {
      await run("bash", [peer, "start", String(kafkaPort)], { env: { KAFKA_PEER_EXTRA: shared.join("\n") } })
      node = await up(data.path, "-X", "node.id=1", ...shared.flatMap((setting) => ["-X", setting]))
      const sides = [await Side.open(node.port), await Side.open(kafkaPort)] as const
      for (const side of sides) {
        await side.begin("before")
        await before(side)
      }
      return new Comparison(sides, end)
    } catch (fault) {
      await end()
      throw fault
    }
  }

  /** Sends the scenario's requests to both; returns the differences. */
  async run(name: string): Promise<ReadonlyArray<Difference>> {
    const scenario = scenarios[name]
    if (scenario === undefined) throw new Error(`there is no scenario '${name}'`)
    for (const side of this.sides) {
      await side.begin(name)
      await scenario(side)
    }
    return this.differences().filter(({ at }) => at.startsWith(`${name}/`))
  }

  /** All differences so far. */
  differences(): ReadonlyArray<Difference> {
    const [ours, other] = this.sides
    const labels = new Set([...ours.trace.keys(), ...other.trace.keys()])
    return [...labels].flatMap((label) => differences(label, ours.trace.get(label), other.trace.get(label)))
  }

  /** Requests that both answered. */
  get cases(): number {
    return this.sides[0].trace.size
  }

  async close(): Promise<void> {
    for (const side of this.sides) side.close()
    await this.end()
  }
}
