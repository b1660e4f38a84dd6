import { describe, expect, test } from "bun:test"
import { Command } from "../../../../domain/cluster/command.ts"
import { NodeConfigsChanged } from "../../../../domain/cluster/event.ts"
import { evolve } from "../../../../domain/cluster/evolve.ts"
import { leaderlessPartitions } from "../../../../domain/cluster/topic/leaderless.ts"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import { brief, fence, orders, replicatedCluster } from "../replication/support.ts"
import { addTopic, afterCommands, eventsOf, givenCluster, heartbeat } from "../support.ts"

const name = "min.insync.replicas"
const set = (node: string, value: string, setting = name, operation: "set" | "delete" = "set") =>
  Command.ChangeNodeConfigs({ node, replace: false, changes: [{ name: setting, operation, value: operation === "set" ? value : null }], validateOnly: false })

describe("min.insync.replicas of all nodes (KAFKA-16540)", () => {
  const three = replicatedCluster(3)
  const fixed = afterCommands(three, Command.FixMinInSyncReplicas({ count: 2 }))

  test("it is stored once, and single nodes lose the value that an earlier version accepted", () => {
    const older = evolve(three, new NodeConfigsChanged({ nodeId: 1 as BrokerId, configs: { [name]: "3", "log.retention.ms": "1000" } }))
    expect(eventsOf(older, Command.FixMinInSyncReplicas({ count: 2 }))).toEqual([
      new NodeConfigsChanged({ nodeId: null, configs: { [name]: "2" } }),
      new NodeConfigsChanged({ nodeId: 1 as BrokerId, configs: { "log.retention.ms": "1000" } })
    ])
    expect(eventsOf(fixed, Command.FixMinInSyncReplicas({ count: 3 }))).toEqual([])
  })
  test("a single node cannot have its own, and that of all nodes cannot be removed", () => {
    expect(givenCluster(fixed).rejection(set("1", "1"))).toMatchObject({ error: "INVALID_CONFIG", message: expect.stringContaining("Broker-level") })
    expect(givenCluster(fixed).rejection(set("", "", name, "delete"))).toMatchObject({
      error: "INVALID_CONFIG",
      message: expect.stringContaining("Cluster-level")
    })
    expect(eventsOf(fixed, set("1", "", name, "delete"))).toEqual([])
    expect(eventsOf(fixed, set("1", "1000", "log.retention.ms"))).toHaveLength(1)
  })
  test("it holds for topics without their own: below it the last in-sync replica becomes eligible", () => {
    const topic = addTopic("orders", { partitionCount: 1, replicationFactor: 3 })
    const alone = afterCommands(fixed, topic, fence(2), fence(3))
    expect(brief(alone)).toMatchObject([expect.any(Number), expect.any(Number), [1], [3]])
    expect(brief(afterCommands(alone, set("", "1")))[3]).toEqual([])
  })
})

describe("unclean.leader.election.enable", () => {
  // Min ISR is 1: brokers 3 and 2 leave the in-sync set for good, and broker 1 is the last one that has all records.
  const lost = afterCommands(orders(replicatedCluster(3), 1), fence(3), fence(2), fence(1), heartbeat(3))
  const change = (value: string) =>
    Command.ChangeTopicConfigs({
      topic: "orders",
      replace: false,
      changes: [{ name: "unclean.leader.election.enable", operation: "set", value }],
      validateOnly: false
    })

  test("partitions without a leader are named where the topic or all topics allow it, and an unfenced replica is there", () => {
    expect(brief(lost)[0]).toBe(-1)
    expect(leaderlessPartitions(lost, false, 10)).toEqual([])
    expect(leaderlessPartitions(lost, true, 10)).toEqual([{ topic: "orders", partition: 0 }])
    expect(leaderlessPartitions(afterCommands(lost, change("true")), false, 10)).toEqual([{ topic: "orders", partition: 0 }])
    expect(leaderlessPartitions(afterCommands(lost, change("false")), true, 10)).toEqual([])
    expect(leaderlessPartitions(afterCommands(lost, fence(3)), true, 10)).toEqual([])
    expect(leaderlessPartitions(afterCommands(lost, heartbeat(1)), true, 10)).toEqual([])
  })
})
