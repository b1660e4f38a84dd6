import { expect, test } from "bun:test"
import { partitionImage } from "../../../domain/partition/image.ts"
import { fence, orders, replicatedCluster } from "../cluster/replication/support.ts"
import { afterCommands, heartbeat, topicId } from "../cluster/support.ts"

test("an image has the epochs, the in-sync set, the effective min ISR, and who may join", () => {
  const cluster = orders(replicatedCluster(3), 5)
  const after = afterCommands(cluster, fence(2), heartbeat(3, { wantShutDown: true }))
  expect(partitionImage(cluster, topicId(1), 0)).toMatchObject({ leader: 1, leaderEpoch: 0, partitionEpoch: 0, isr: [1, 2, 3], minIsr: 3 })
  expect(partitionImage(after, topicId(1), 0)).toMatchObject({
    isr: [1],
    replicas: [
      { id: 1, mayJoin: true },
      { id: 2, mayJoin: false },
      { id: 3, mayJoin: false }
    ]
  })
  expect([partitionImage(cluster, topicId(1), 1), partitionImage(cluster, topicId(7), 0)]).toEqual([undefined, undefined])
})
