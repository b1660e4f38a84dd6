import { totalmem } from "node:os"
import { partitionsPerClusterMax } from "../../../domain/cluster/bounds.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { MemoryBudget } from "../../wire/memory/memory-budget.ts"

/** The account has this share of the memory, up to `bytesMost`. */
const memoryShare = 1 / 4
const bytesMost = 512 * 1024 * 1024
/** With less the node would refuse requests of usual size. */
const bytesLeast = 16 * 1024 * 1024

/** Returns the bytes of memory that this process may use: the machine's, or the limit of its control group. */
const memoryOfProcess = (): number => {
  // 0 where there is no bound, and a huge number on some systems.
  const constrained = process.constrainedMemory?.() ?? 0
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem()
}

/**
 * Returns the bound of the account where `franz.memory.request.budget.bytes` is 0: a quarter of the memory, at most 512
 * MiB and at least 16 MiB.
 */
export const budgetFor = (memoryBytes: number): number => Math.floor(Math.max(bytesLeast, Math.min(bytesMost, memoryBytes * memoryShare)))

/**
 * Memory of a partition, bytes: two files, its indexes and caches, and its part of the cluster's metadata. About a
 * third of it is used.
 */
const bytesPerPartition = 65_536

/**
 * Returns the partitions that one broker may hold where `franz.broker.partitions.max` is 0, by the memory that this
 * process may use.
 */
export const brokerPartitionsFor = (memoryBytes: number): number => Math.min(partitionsPerClusterMax, Math.floor(memoryBytes / bytesPerPartition))
export const brokerPartitionsMax = (): number => brokerPartitionsFor(memoryOfProcess())

/**
 * A full collection that leaves sweeping to the engine's idle time: it begins without
 * waiting, and took the thread 34 ms at most where one that sweeps at once (`Bun.gc(true)`) took 95, with no more memory.
 */
const collect = "Bun" in globalThis ? () => Bun.gc(false) : undefined

/** One account for all nodes of the process, since they share its memory. */
let account: MemoryBudget | undefined

/**
 * Returns the account of this process, which is made when its first node starts, by that node's settings or by the
 * memory that the process may use.
 */
export const processMemory = (config: NodeConfig): MemoryBudget => {
  const set = config["franz.memory.request.budget.bytes"]
  const queued = config["queued.max.request.bytes"]
  account ??= new MemoryBudget({ bytesMax: set === 0 ? budgetFor(memoryOfProcess()) : set, requestBytesMax: queued < 0 ? undefined : queued, collect })
  return account
}
