import { expect } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { javaTool, startJavaTool, testWith } from "./support/peers.ts"
import { temporaryDirectory, until } from "./support/process.ts"
import { ReplicatedCluster } from "./support/replicated.ts"

const reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
const elect = "org.apache.kafka.tools.LeaderElectionCommand"
/** The session of a broker that stops, ms: a move to it must be decided before it is fenced, by a process that a busy machine starts slowly. */
const sessionMs = 30_000
const verification = "org.apache.kafka.tools.ReplicaVerificationTool"

/**
 * What the doctor finds, as kinds with their partitions; the exit code is 1 where there is a problem. Without the
 * partitions of groups: on which three of the four brokers these are depends on the order in which the brokers started.
 */
const diagnosed = async (cluster: ReplicatedCluster) => {
  const { code, stdout } = await cluster.ends("cluster", "doctor", "--json")
  const { findings } = JSON.parse(stdout) as { readonly findings: ReadonlyArray<{ readonly kind: string; readonly partitions: ReadonlyArray<string> }> }
  const ofTopics = findings.map(({ kind, partitions }) => ({ kind, partitions: partitions.filter((name) => !name.startsWith("__group_metadata-")) }))
  return { code, findings: ofTopics.flatMap(({ kind, partitions }) => (partitions.length === 0 ? [] : [`${kind}: ${partitions.join(",")}`])) }
}

testWith(
  ["java"],
  "Kafka's tools propose moves, move partitions with a throttle, list, cancel and verify moves, compare replicas and elect leaders; the doctor names what is not in order",
  async () => {
    const files = temporaryDirectory()
    const cluster = await ReplicatedCluster.start(4, [`broker.session.timeout.ms=${sessionMs}`])
    try {
      await cluster.does("topic", "create", "orders", "--partitions", "2", "--replication-factor", "2")
      await cluster.does("partition", "move", "orders-0", "--to", "1,2")
      await cluster.does("partition", "move", "orders-1", "--to", "2,1")
      await cluster.whenEach("orders", "it is on brokers 1 and 2", ({ isr, replicas }) => isr.length === 2 && replicas.every((id) => id <= 2))
      const at = ["--bootstrap-server", cluster.addressOf(1)]
      const plan = (name: string, ...replicas: ReadonlyArray<ReadonlyArray<number>>): string => {
        const path = join(files.path, name)
        writeFileSync(path, JSON.stringify({ version: 1, partitions: replicas.map((each, partition) => ({ topic: "orders", partition, replicas: each })) }))
        return path
      }
      const topics = join(files.path, "topics.json")
      writeFileSync(topics, JSON.stringify({ version: 1, topics: [{ topic: "orders" }] }))
      const generated = await javaTool(reassign, [...at, "--generate", "--topics-to-move-json-file", topics, "--broker-list", "3,4"])
      expect(generated).toMatch(
        /Current partition replica assignment\n.*"replicas":\[1,2\].*"replicas":\[2,1\].*\n\nProposed partition reassignment configuration\n/
      )
      expect(generated).toMatch(/Proposed partition reassignment configuration\n.*"replicas":\[(3,4|4,3)\].*"replicas":\[(3,4|4,3)\]/)
      // The tool reads every replica, followers too, and compares.
      const verifying = startJavaTool(verification, ["--broker-list", cluster.bootstrap, "--topics-include", "orders", "--report-interval-ms", "500"])
      await verifying.says(/max lag is 0 for partition orders-\d at offset \d+ among 2 partitions/, 120_000)
      await verifying.kill()
      const there = plan("there.json", [3, 4], [4, 3])
      expect(await javaTool(reassign, [...at, "--execute", "--reassignment-json-file", there, "--throttle", "5000000"])).toContain(
        "Successfully started partition reassignments for orders-0,orders-1"
      )
      const moved = await cluster.whenEach(
        "orders",
        "it has moved",
        ({ isr, replicas }) => isr.length === 2 && replicas.length === 2 && replicas.every((id) => id >= 3)
      )
      expect(moved.map(({ replicas }) => replicas)).toEqual([
        [3, 4],
        [4, 3]
      ])
      const verified = await javaTool(reassign, [...at, "--verify", "--reassignment-json-file", there])
      expect(verified).toContain("Reassignment of partition orders-0 is completed.")
      expect(verified).toContain("Clearing topic-level throttles on topic orders")
      expect(await javaTool(elect, [...at, "--election-type", "preferred", "--all-topic-partitions"])).toBeDefined()
      expect((await cluster.partitions("orders")).map(({ leader }) => leader)).toEqual([3, 4])
      // Broker 1 has stopped before it has the partition: the move does not end.
      await cluster.pauseBroker(1)
      await cluster.does("partition", "move", "orders-0", "--to", "1,3")
      const other = ["--bootstrap-server", cluster.addressOf(3)]
      expect(await javaTool(reassign, [...other, "--list"])).toContain("orders-0: replicas: 1,3,4. adding: 1. removing: 4.")
      expect(
        await until(
          "the doctor finds the fenced broker",
          async () => {
            const found = await diagnosed(cluster)
            return found.code === 1 && found.findings.some((finding) => finding.startsWith("fenced broker")) && found
          },
          sessionMs + 120_000
        )
      ).toEqual({ code: 1, findings: ["fenced broker: orders-0", "moves under way: orders-0"] })
      const back = plan("back.json", [1, 3])
      // The tool clears throttles at each broker itself, and would wait a minute for the one that has stopped.
      expect(await javaTool(reassign, [...other, "--cancel", "--preserve-throttles", "--reassignment-json-file", back])).toContain(
        "Successfully cancelled partition reassignment for: orders-0"
      )
      expect((await cluster.partitions("orders"))[0]?.replicas).toEqual([3, 4])
      await cluster.stopBroker(1)
    } finally {
      await cluster.stop()
      files.remove()
    }
  },
  600_000
)
