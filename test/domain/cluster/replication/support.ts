import type { Command } from "../../../../domain/cluster/command.ts"
import { Command as C } from "../../../../domain/cluster/command.ts"
import { brokerOf, type Cluster, type Partition, topicByName } from "../../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import { addTopic, afterCommands, given, heartbeat, topicId } from "../support.ts"

/** Registers a broker of this version whose logs have all that they acknowledged. */
export const registerReplica = (brokerId: number, more: Partial<Extract<Command, { _tag: "RegisterBroker" }>> = {}): Command =>
  C.RegisterBroker({
    brokerId,
    incarnationId: `process-${brokerId}`,
    clusterId: "",
    host: "127.0.0.1",
    port: 9000 + brokerId,
    rack: null,
    isConnected: false,
    eventLevel: 2,
    keepsWhatItAcknowledged: true,
    ...more
  })
export const asked = { replicationFactorMax: 5 }
/** A cluster at the level of replication, with brokers 1 to n unfenced. */
export const replicatedCluster = (brokers: number, racks: ReadonlyArray<string> = []): Cluster =>
  given(
    C.FoundCluster({ clusterId: "c" }),
    ...Array.from({ length: brokers }, (_, n) => [registerReplica(n + 1, { rack: racks[n] ?? null }), heartbeat(n + 1)]).flat(),
    C.RaiseEventLevel({ level: 2 })
  )
/** The topic "orders" with one partition on brokers 1, 2 and 3, led by broker 1. */
export const orders = (cluster: Cluster, minIsr = 2, replicas: ReadonlyArray<number> = [1, 2, 3]): Cluster =>
  afterCommands(
    cluster,
    addTopic("orders", {
      ...asked,
      topicId: topicId(1),
      partitionCount: -1,
      replicationFactor: -1,
      assignments: [{ partition: 0, replicas }],
      configs: [{ name: "min.insync.replicas", value: String(minIsr) }]
    })
  )
export const partitionOf = (cluster: Cluster, index = 0): Partition => topicByName(cluster, "orders")?.partitions.at(index) as Partition
export const epochOf = (cluster: Cluster, id: number): number => brokerOf(cluster, id)?.epoch ?? -1
export const fence =
  (id: number) =>
  (cluster: Cluster): Command =>
    C.FenceBroker({ brokerId: id as BrokerId, brokerEpoch: epochOf(cluster, id) })
/** What the leader of orders-0 asks for. */
export const alter =
  (isr: ReadonlyArray<number>, more: { leaderEpoch?: number; partitionEpoch?: number; brokerEpochs?: ReadonlyArray<number>; by?: number } = {}) =>
  (cluster: Cluster): Command => {
    const { leader, leaderEpoch, partitionEpoch } = partitionOf(cluster)
    const brokerId = more.by ?? leader
    return C.AlterInSyncSets({
      brokerId,
      brokerEpoch: epochOf(cluster, brokerId),
      partitions: [
        {
          topicId: topicId(1),
          partition: 0,
          leaderEpoch: more.leaderEpoch ?? leaderEpoch,
          partitionEpoch: more.partitionEpoch ?? partitionEpoch,
          isr: isr.map((id, at) => ({ brokerId: id, brokerEpoch: more.brokerEpochs?.[at] ?? epochOf(cluster, id) }))
        }
      ]
    })
  }
/** [leader, leader epoch, in-sync set, ELR] of orders-0. */
export const brief = (cluster: Cluster): readonly [number, number, ReadonlyArray<number>, ReadonlyArray<number>] => {
  const { elr, isr, leader, leaderEpoch } = partitionOf(cluster)
  return [leader, leaderEpoch, isr, elr]
}
