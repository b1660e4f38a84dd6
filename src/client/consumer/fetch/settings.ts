import { Context } from "effect"
import type { Isolation } from "../../cluster/start-offsets.ts"

/** How partitions are fetched: `ConsumerOptions` with every default filled in. Durations are in ms, sizes in bytes. */
export interface FetchSettings {
  readonly fetchWaitMs: number
  readonly fetchBytesMax: number
  readonly partitionBytesMax: number
  readonly bufferBytesMax: number
  readonly batchBytesMax: number
  readonly onCorrupt: "fail" | "skip"
  readonly isolation: Isolation
  /** Empty: none. */
  readonly rack: string
}

/** The fetch settings of the consumer that is being built. */
export class FetchConfig extends Context.Tag("comanche-franz/client/FetchConfig")<FetchConfig, FetchSettings>() {}
