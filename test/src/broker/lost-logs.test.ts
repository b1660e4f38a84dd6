import { expect, test } from "bun:test"
import { lostLogsWarning } from "../../../src/broker/lost-logs.ts"
import { orders, replicatedCluster } from "../../domain/cluster/replication/support.ts"
import { addTopic, afterCommands, up } from "../../domain/cluster/support.ts"

test("the warning of an empty data directory says what is lost, and what is copied from other brokers", () => {
  const alone = afterCommands(up(1), addTopic("orders", { partitionCount: 2 }))
  expect(lostLogsWarning(up(1), 1, "/data")).toBeUndefined()
  expect(lostLogsWarning(alone, 1, "/data")).toBe(
    "Broker 1 starts with an empty data directory (/data), and the cluster has 2 partitions on it. Their records are missing, and their logs restart at offset 0. If a disk is not mounted or the directory was moved, stop this node, mount or restore it, and start the node again."
  )
  const three = lostLogsWarning(orders(replicatedCluster(3)), 1, "/data")
  expect(three).toContain("1 partition of them has other replicas, and is copied from them.")
  expect(three).not.toContain("records are missing")
})
