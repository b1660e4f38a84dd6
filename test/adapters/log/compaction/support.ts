import { Effect, Either, type Scope } from "effect"
import { layerTypescript as compressionLayer } from "../../../../adapters/compression/compression.ts"
import { makeDurableDirectory } from "../../../../adapters/log/disk/disk.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { defaultStoreBounds, makeStore } from "../../../../adapters/log/store.ts"
import { RecordBatch, verify } from "../../../../domain/log/batch.ts"
import type { Codec } from "../../../../domain/log/codec.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { encodeBatch, type Record, readRecords } from "../../../../domain/log/record.ts"
import type { CompactionOrder } from "../../../../src/ports/compaction.ts"
import { Compression } from "../../../../src/ports/compression.ts"
import { defaultLogConfig, type LogConfig, type LogFault, type PartitionLog } from "../../../../src/ports/log-store.ts"
import { batchesIn, checksum, topicId } from "../../../src/ports/log-batches.ts"

const compression = Effect.runSync(Effect.provide(Compression, compressionLayer))
const root = "/data"
export const smallSegments: LogConfig = { ...defaultLogConfig, segmentBytesMax: 600, indexIntervalBytes: 100, fileDeleteDelayMs: 0 }

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** A record with a key; a null value makes a tombstone. */
export interface Told {
  readonly key: string | null
  readonly value: string | null
}
export interface ToldBatch {
  readonly records: ReadonlyArray<Told>
  readonly codec?: Codec
  readonly producer?: { readonly id: bigint; readonly sequence: number }
  readonly timestamp?: number
  readonly logAppendTime?: number
}

export const batchOf = (baseOffset: number, { codec = "none", logAppendTime, producer, records, timestamp = 1000 }: ToldBatch): RecordBatch =>
  new RecordBatch(
    encodeBatch(
      {
        baseOffset,
        codec,
        leaderEpoch: 3,
        ...(producer === undefined ? {} : { producerId: producer.id, producerEpoch: 0, baseSequence: producer.sequence }),
        ...(logAppendTime === undefined ? {} : { logAppendTime }),
        records: records.map(({ key, value }, i) => ({
          timestamp: timestamp + i,
          key: key === null ? null : utf8.encode(key),
          value: value === null ? null : utf8.encode(value),
          headers: [{ key: "h", value: utf8.encode(`${i}`) }]
        }))
      },
      { crc32c, compress: compression.compress }
    )
  )

/** A record in the form in which tests compare it. */
export interface Kept {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly header: string
}
const keptOf = ({ headers, key, offset, timestamp, value }: Record): Kept => ({
  offset,
  timestamp,
  key: key && text.decode(key),
  value: value && text.decode(value),
  header: text.decode(headers[0]?.value ?? new Uint8Array())
})
export const recordsOf = (batch: RecordBatch): ReadonlyArray<Kept> => Either.getOrThrow(readRecords(batch, compression.decompress, 1_000_000)).map(keptOf)

/** All batches of a log from `from` on, each with a valid CRC. */
export const batchesOf = (log: PartitionLog, from = log.start(), bytes = 400): ReadonlyArray<RecordBatch> => {
  const all: Array<RecordBatch> = []
  for (let at = from; at < log.end(); ) {
    const some = batchesIn(Either.getOrThrow(log.read(at, bytes, log.end())))
    for (const batch of some) if (verify(batch, crc32c) !== undefined) throw new Error(`the batch at ${batch.baseOffset} has a wrong CRC`)
    all.push(...some)
    const next = some.at(-1)?.nextOffset
    if (next === undefined || next <= at) break
    at = next
  }
  return all
}
export const contentOf = (log: PartitionLog): ReadonlyArray<Kept> => batchesOf(log).flatMap(recordsOf)

export const orderOf = (log: PartitionLog, more: Partial<CompactionOrder> = {}): CompactionOrder => ({
  from: log.cleanEnd(),
  to: log.segments().at(-1)?.baseOffset ?? 0,
  now: 1_000_000,
  deleteRetentionMs: 500,
  isLastOfProducer: () => false,
  mapBytesMax: 1_000_000,
  mapLoadFactor: 0.9,
  mapSeed: [1, 2, 3, 4],
  ioBufferBytes: 1000,
  ioBytesPerSecondMax: Number.POSITIVE_INFINITY,
  compression,
  ...more
})

/** Runs `use` with a log of small segments on `disk`, then closes the log cleanly. */
export const withLog = <A>(disk: MemoryDisk, use: (log: PartitionLog) => Effect.Effect<A, LogFault, Scope.Scope>, config = smallSegments): Promise<A> => {
  const session = disk.session()
  return Effect.gen(function* () {
    yield* makeDurableDirectory(session, root)
    const store = yield* makeStore(session, root, defaultStoreBounds)
    return yield* use(yield* store.open(topicId, 0, config))
  }).pipe(Effect.scoped, Effect.provide(checksum), Effect.runPromise)
}

export const appendAll = (log: PartitionLog, told: ReadonlyArray<ToldBatch>): Effect.Effect<void, LogFault> =>
  // The first segment ends only when its name is durable.
  Effect.forEach(told, (each) => Effect.zipRight(log.append([batchOf(log.end(), each)]), log.sync), { discard: true })
export const freshDisk = (): MemoryDisk => new MemoryDisk()
export const directory = `${root}/${topicId}-0`
