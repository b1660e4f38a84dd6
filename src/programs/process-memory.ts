import { totalmem } from "node:os"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import { MemoryBudget } from "../wire/memory-budget.ts"

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
