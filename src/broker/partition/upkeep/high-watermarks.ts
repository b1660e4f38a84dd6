import { Effect } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import type { LogStore } from "../../../ports/log-store.ts"
import type { Replica } from "../replica/replica.ts"
import { keyOf, type TopicIdPartition } from "../topic-id-partition.ts"

const checkpointName = "replication-offset-checkpoint"
const version = "0"

const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/**
 * Returns the offsets of a document in Kafka's format: a version, the number of entries, and for each partition a line
 * with its topic id, its index and its offset. Kafka has the topic's name there; an id is never used again, so that no
 * topic gets the high watermark of an older one. Empty where the document cannot be read.
 */
const parse = (bytes: Uint8Array): ReadonlyMap<string, Offset> => {
  const [head, count, ...lines] = new TextDecoder().decode(bytes).trimEnd().split("\n")
  const offsets = new Map<string, Offset>()
  if (head !== version || Number(count) !== lines.length) return offsets
  for (const line of lines) {
    const [topicId, partition, offset, ...more] = line.split(" ")
    if (topicId === undefined || !isOffset(Number(partition)) || !isOffset(Number(offset)) || more.length > 0) return new Map()
    offsets.set(`${topicId}-${partition}`, Number(offset))
  }
  return offsets
}

const format = (replicas: ReadonlyArray<Replica>): string => {
  const lines = replicas.map((replica) => `${replica.topicId} ${replica.partition} ${replica.highWatermark()}`)
  return `${[version, lines.length, ...lines].join("\n")}\n`
}

/**
 * The high watermarks of partitions with several replicas, stored beside the logs: what a replica that restarts knows to
 * be committed. They may be old, and they may be missing: a high watermark that is too low is always safe.
 */
export class HighWatermarks {
  private stored = new Map<string, Offset>()
  private written = ""

  constructor(private readonly store: Pick<LogStore["Type"], "readCheckpoint" | "writeCheckpoint">) {}

  /** Reads them. Of two documents the lower offset holds: one may be that of a directory that was offline while records were removed. */
  readonly load: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(
      Effect.orElseSucceed(this.store.readCheckpoint(checkpointName), () => []),
      (documents) => {
        const stored = new Map<string, Offset>()
        for (const document of documents)
          for (const [key, offset] of parse(document)) stored.set(key, Math.min(offset, stored.get(key) ?? Number.MAX_SAFE_INTEGER))
        this.stored = stored
      }
    )
  )

  /** Remembers that of a replica that is closed, and is opened again in this life: it does not fall within a leader epoch (L7). */
  keep(replica: Replica): void {
    this.stored.set(keyOf(replica), replica.highWatermark())
  }

  /** The one that was stored before the broker started, or when its log was moved; 0 where none was. */
  of(partition: TopicIdPartition): Offset {
    return this.stored.get(keyOf(partition)) ?? 0
  }

  /** Stores those of the replicas, where one has changed. A failure is tried again by the next call. */
  save(replicas: Iterable<Replica>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const text = format([...replicas].filter(({ isReplicated }) => isReplicated))
      if (text === this.written || (this.written === "" && text === format([]))) return Effect.void
      return Effect.ignore(
        Effect.map(this.store.writeCheckpoint(checkpointName, new TextEncoder().encode(text), true), () => {
          this.written = text
        })
      )
    })
  }
}
