import type { BrokerId } from "../../../domain/kernel/id.ts"
import type { PartitionImage } from "../../../domain/partition/image.ts"
import { fetched, type Lead, lead, type ReplicaFetch } from "../../../domain/partition/lead.ts"

/** A partition on brokers 1, 2 and 3, led by broker 1 under epoch 5; each broker has the broker epoch 10 times its id. */
export const imageOf = (more: Partial<PartitionImage> = {}): PartitionImage => ({
  leader: 1 as BrokerId,
  leaderEpoch: 5,
  partitionEpoch: 7,
  isr: [1, 2, 3] as ReadonlyArray<number> as ReadonlyArray<BrokerId>,
  elr: [],
  minIsr: 2,
  replicas: [1, 2, 3].map((id) => ({ id: id as BrokerId, brokerEpoch: id * 10, mayJoin: true })),
  ...more
})
export const ids = (...all: ReadonlyArray<number>) => all as ReadonlyArray<BrokerId>
/** Broker 1 leads from offset 100 on. */
export const leading = (more: Partial<PartitionImage> = {}, highWatermark = 90): Lead =>
  lead(imageOf(more), { id: 1 as BrokerId, end: 100, syncedEnd: 100, highWatermark, logStart: 0, at: 0 })
export const fetchOf = (id: number, offset: number, more: Partial<ReplicaFetch> = {}): ReplicaFetch => ({
  id,
  brokerEpoch: id * 10,
  leaderEpoch: 5,
  offset,
  lastFetchedEpoch: 4,
  logStart: 0,
  ...more
})
export const afterFetch = (state: Lead, id: number, offset: number, at = 0): Lead => fetched(state, fetchOf(id, offset), at)
