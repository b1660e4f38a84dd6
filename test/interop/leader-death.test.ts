import { expect } from "bun:test"
import { linesOf, runKcat, testWith } from "./support/peers.ts"
import { Run, until } from "./support/process.ts"
import { ReplicatedCluster } from "./support/replicated.ts"

const messages = (round: number): ReadonlyArray<string> => Array.from({ length: 60 }, (_, at) => `${round}-${at}`)

testWith(
  ["kcat"],
  "kill -9 of the only process that leads the cluster: groups of three brokers read on, rebalance, commit and begin, without a setting",
  async () => {
    const cluster = await ReplicatedCluster.start(3)
    const members: Array<Run> = []
    const began = (group: string): Run => {
      const args = ["-b", cluster.bootstrap, "-u", "-q", "-X", "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=500", "-G", group, "orders"]
      const member = Run.start("kcat", args)
      members.push(member)
      return member
    }
    const seen = (...of: ReadonlyArray<Run>) => of.flatMap(({ stdout }) => linesOf(stdout)).sort()
    const produced = (round: number) => runKcat(["-b", cluster.bootstrap, "-P", "-t", "orders", "-X", "acks=all"], { input: `${messages(round).join("\n")}\n` })
    try {
      await cluster.does("topic", "create", "orders", "--partitions", "6", "--replication-factor", "3", "--if-not-exists")
      await until("the brokers coordinate the groups", async () => (await cluster.does("cluster", "describe")).includes("the brokers coordinate them"), 120_000)
      const first = began("billing")
      await produced(0)
      await until("the first member reads what is there", () => seen(first).length >= 60, 120_000)

      await cluster.killLeader()
      await produced(1)
      await until("the group continues", () => seen(first).length >= 120, 120_000)
      const second = began("billing")
      for (let round = 2; linesOf(second.stdout).length === 0; round++) {
        await produced(round)
        const all = 60 * (round + 1)
        await until("both read", () => seen(first, second).length >= all, 120_000)
        const expected = Array.from({ length: round + 1 }, (_, nth) => messages(nth)).flat()
        expect(seen(first, second)).toEqual([...expected].sort())
      }
      const all = seen(first, second)
      const other = began("shipping")
      await until("a new group begins", () => seen(other).length >= all.length, 120_000)
      expect(seen(other)).toEqual(all)
      // Both leave with a commit: a third member has nothing to read.
      for (const member of [first, second]) await member.kill("SIGTERM")
      const third = began("billing")
      await produced(100)
      await until("the third member reads what is new", () => seen(third).length >= 60, 120_000)
      expect(seen(third)).toEqual([...messages(100)].sort())
    } finally {
      for (const member of members) await member.kill()
      await cluster.stop()
    }
  },
  600_000
)
