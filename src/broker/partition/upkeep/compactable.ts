import { Either, HashMap, Option } from "effect"
import { entriesOf, type NodeConfig, type TopicConfig } from "../../../../domain/kernel/config.ts"
import type { Offset } from "../../../../domain/kernel/id.ts"
import { RecordBatch } from "../../../../domain/log/batch.ts"
import { type Dirt, dirtOf } from "../../../../domain/log/cleanable.ts"
import type { HashSeed } from "../../../../domain/log/key-hash.ts"
import type { ProducerState } from "../../../../domain/log/producer-state.ts"
import type { CompactionOrder } from "../../../ports/compaction.ts"
import type { PartitionLog } from "../../../ports/log-store.ts"

/** A replica as its compaction sees it. */
export interface Compactable {
  readonly log: PartitionLog
  readonly config: TopicConfig
  readonly start: Offset
  readonly highWatermark: Offset
  readonly producers: ProducerState
}

/** Whether a topic keeps the last record of each key. */
export const isCompacted = (config: TopicConfig): boolean => entriesOf(config["cleanup.policy"]).includes("compact")

/** The timestamp of the first batch from `from` on. */
const timestampAt = (log: PartitionLog, from: Offset): number | undefined => {
  const first = from < log.end() ? Either.getOrElse(log.read(from, 0, log.end()), () => [])[0] : undefined
  const timestamp = first === undefined ? -1 : new RecordBatch(first).maxTimestamp
  return timestamp < 0 ? undefined : timestamp
}

/** The part of a log that is to be compacted; undefined for a topic that is not compacted. `now` in ms. */
export const dirtIn = ({ config, highWatermark, log, start }: Compactable, now: number): Dirt | undefined => {
  if (!isCompacted(config)) return undefined
  const cleanEnd = log.cleanEnd()
  const lagMsMax = config["max.compaction.lag.ms"]
  // Without a bound the age of the oldest record does not matter.
  const firstDirtyTimestamp = lagMsMax < Number.MAX_SAFE_INTEGER ? timestampAt(log, Math.max(start, cleanEnd)) : undefined
  const bounds = { dirtyRatioMin: config["min.cleanable.dirty.ratio"], lagMsMin: config["min.compaction.lag.ms"], lagMsMax }
  return dirtOf({ segments: log.segments(), start, highWatermark, cleanEnd, firstDirtyTimestamp }, bounds, now)
}

/** Whether a batch is the last one of its producer, of the producers that the partition knows. */
const lastOf =
  ({ entries }: ProducerState) =>
  ({ lastOffset, producerId }: RecordBatch): boolean =>
    Option.exists(HashMap.get(entries, producerId), ({ batches }) => batches.at(-1)?.lastOffset === lastOffset)

/** The compaction of the dirty part, by the topic's settings and the node's. */
export const orderFor = (
  { config, producers }: Compactable,
  { from, to }: Dirt,
  node: NodeConfig,
  compression: CompactionOrder["compression"],
  mapSeed: HashSeed,
  now: number
): CompactionOrder => ({
  from,
  to,
  now,
  deleteRetentionMs: config["delete.retention.ms"],
  isLastOfProducer: lastOf(producers),
  mapBytesMax: node["log.cleaner.dedupe.buffer.size"],
  mapLoadFactor: node["log.cleaner.io.buffer.load.factor"],
  mapSeed,
  ioBufferBytes: node["log.cleaner.io.buffer.size"],
  ioBytesPerSecondMax: node["log.cleaner.io.max.bytes.per.second"],
  compression
})
