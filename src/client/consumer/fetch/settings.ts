/** How partitions are fetched: `ConsumerOptions` with every default in its place. */
export interface FetchSettings {
  readonly fetchWaitMs: number
  readonly fetchBytesMax: number
  readonly partitionBytesMax: number
  readonly bufferBytesMax: number
  readonly batchBytesMax: number
  readonly onCorrupt: "fail" | "skip"
}
