import { totalmem } from "node:os"
import { partitionsPerClusterMax } from "../../../domain/cluster/bounds.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { MemoryBudget } from "../../wire/memory/memory-budget.ts"

/** The account gets this share of the memory, and no more than this. */
const memoryShare = 1 / 4
const bytesMost = 512 * 1024 * 1024
/** Less would refuse requests of usual size. */
const bytesLeast = 16 * 1024 * 1024

/** Bytes of memory that this process may use: the machine's, or what its control group allows. */
const memoryOfProcess = (): number => {
  // 0 where there is no bound, and a huge number on some systems.
  const constrained = process.constrainedMemory?.() ?? 0
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem()
}

/** The bound of the account where `franz.memory.request.budget.bytes` is 0: a quarter of the memory, at most 512 MiB and at least 16 MiB. */
export const budgetFor = (memoryBytes: number): number => Math.floor(Math.max(bytesLeast, Math.min(bytesMost, memoryBytes * memoryShare)))

/** What a partition may take: two files, its indexes and caches, and its part of the cluster's metadata; about a third of it is used. */
const bytesPerPartition = 65_536

/** Partitions that one broker may hold where `franz.broker.partitions.max` is 0: by the memory that this process may use. */
export const brokerPartitionsFor = (memoryBytes: number): number => Math.min(partitionsPerClusterMax, Math.floor(memoryBytes / bytesPerPartition))
export const brokerPartitionsMax = (): number => brokerPartitionsFor(memoryOfProcess())

/** Some 70 ms for a heap of 100 MB. */
const collect = "Bun" in globalThis ? () => Bun.gc(true) : undefined

/** Memory is the process's, so the account is too, whatever the number of its nodes. */
let account: MemoryBudget | undefined

/** The account of this process, made when its first node starts: by the settings, or by the memory that the process may use. */
export const processMemory = (config: NodeConfig): MemoryBudget => {
  const set = config["franz.memory.request.budget.bytes"]
  const queued = config["queued.max.request.bytes"]
  account ??= new MemoryBudget({ bytesMax: set === 0 ? budgetFor(memoryOfProcess()) : set, requestBytesMax: queued < 0 ? undefined : queued, collect })
  return account
}
