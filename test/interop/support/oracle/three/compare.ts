import { join } from "node:path"
import { type Cluster, startKafkaCluster, startOurCluster } from "../../../../../scripts/bench/cluster.ts"
import { root } from "../../process.ts"
import { type Difference, differences } from "../normal.ts"
import { Side } from "../side.ts"
import { ClusterSide } from "./cluster-side.ts"
import { clusterScenarios } from "./scenarios.ts"

/** Settings of both. Leaders move by request alone, or where a broker stops in order: on a busy machine no broker is fenced for its silence. */
const shared = [
  "group.initial.rebalance.delay.ms=0",
  "auto.leader.rebalance.enable=false",
  "broker.session.timeout.ms=60000",
  "broker.heartbeat.interval.ms=500",
  "log.retention.check.interval.ms=86400000",
  // The records are of 1970, and Kafka looks at them 30 s after its start.
  "log.retention.ms=-1",
  "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector"
]
const settings = (id: number): ReadonlyArray<string> => [...shared, `broker.rack=rack-${id}`]
const nodes = 3

/** Three nodes of ours and three of Apache Kafka, with the same requests. */
export class ClusterComparison {
  private constructor(private readonly sides: readonly [ours: ClusterSide, kafkas: ClusterSide]) {}

  static async open(): Promise<ClusterComparison> {
    const opened: Array<Cluster> = []
    try {
      opened.push(await startOurCluster([process.execPath, join(root, "src/programs/franz.ts")], { nodes, settings }))
      opened.push(await startKafkaCluster({ nodes, settings, heap: "256m" }))
      const [ours, kafkas] = await Promise.all(
        opened.map(async (cluster) => {
          const [first = 0, ...others] = cluster.nodes.map(({ port }) => port)
          return new ClusterSide(await Side.open(first, ...others), cluster)
        })
      )
      return new ClusterComparison([ours as ClusterSide, kafkas as ClusterSide])
    } catch (fault) {
      for (const cluster of opened) await cluster.stop()
      throw fault
    }
  }

  /** Sends the scenario's requests to both; returns the differences. */
  async run(name: string): Promise<ReadonlyArray<Difference>> {
    const scenario = clusterScenarios[name]
    if (scenario === undefined) throw new Error(`there is no scenario '${name}'`)
    // Both at once: most of the time a cluster is waited for.
    await Promise.all(this.sides.map((side) => side.begin(name).then(() => scenario(side))))
    return this.differences().filter(({ at }) => at.startsWith(`${name}/`))
  }

  /** All differences so far. */
  differences(): ReadonlyArray<Difference> {
    const [ours, other] = this.sides.map(({ side }) => side.trace)
    const labels = new Set([...(ours?.keys() ?? []), ...(other?.keys() ?? [])])
    return [...labels].flatMap((label) => differences(label, ours?.get(label), other?.get(label)))
  }

  /** Requests that both answered. */
  get cases(): number {
    return this.sides[0].side.trace.size
  }

  async close(): Promise<void> {
    for (const side of this.sides) {
      side.close()
      side.side.close()
      await side.cluster.stop()
    }
  }
}
