import { Chunk, Either } from "effect"
import { type RecordBatch, readableBatches, verify } from "../../domain/log/batch.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { decodeRecords, encodeBatch, type Record, type RecordToWrite } from "../../domain/log/record.ts"
import type { Entry, StoredEntry } from "./journal.ts"
import { LogFault } from "./log-store.ts"

const utf8 = new TextEncoder()
const text = new TextDecoder()
const noBytes = new Uint8Array(0)

/** The record headers of an entry, which any Kafka consumer shows. */
const header = { commandId: "command-id", actor: "actor", cause: "cause" } as const

const toRecord = ({ actor, cause, commandId, type, value }: Entry, timestamp: number): RecordToWrite => ({
  timestamp,
  key: utf8.encode(type),
  value,
  headers: [
    { key: header.commandId, value: utf8.encode(commandId) },
    { key: header.actor, value: utf8.encode(actor) },
    { key: header.cause, value: utf8.encode(cause) }
  ]
})

const fromRecord = ({ headers, key, offset, timestamp, value }: Record): StoredEntry => {
  const valueOf = (name: string): string => text.decode(headers.find(({ key: found }) => found === name)?.value ?? noBytes)
  return {
    index: offset,
    timestamp,
    type: text.decode(key ?? noBytes),
    value: value ?? noBytes,
    commandId: valueOf(header.commandId),
    actor: valueOf(header.actor),
    cause: valueOf(header.cause)
  }
}

/** Where the batch of an append begins, and when it is written. */
interface BatchHead {
  readonly baseOffset: number
  readonly epoch: number
  readonly timestamp: number
  /** Whole numbers that the first record has in headers of these names. */
  readonly numbers?: Readonly<{ [name: string]: number }>
}

/** Encodes the entries of one append as one uncompressed batch, so that a crash keeps all of them or none. */
export const encodeBatchOf = (entries: ReadonlyArray<Entry>, { baseOffset, epoch, numbers = {}, timestamp }: BatchHead, crc32c: Crc32c): Uint8Array => {
  const records = entries.map((entry) => toRecord(entry, timestamp))
  const [first] = records
  const more = Object.entries(numbers).map(([key, value]) => ({ key, value: utf8.encode(`${value}`) }))
  if (first !== undefined) records[0] = { ...first, headers: [...(first.headers ?? []), ...more] }
  return encodeBatch({ baseOffset, leaderEpoch: epoch, codec: "none", records }, { crc32c, compress: (_, bytes) => bytes })
}

/** As `encodeBatchOf`, for a stream whose indexes are the offsets of its log. */
export const encodeEntries = (entries: ReadonlyArray<Entry>, index: number, epoch: number, timestamp: number, crc32c: Crc32c): Uint8Array =>
  encodeBatchOf(entries, { baseOffset: index, epoch, timestamp }, crc32c)

/** The entries of one append. Their indexes are the offsets of their records. */
export interface DecodedBatch {
  readonly batch: RecordBatch
  readonly entries: ReadonlyArray<StoredEntry>
  /** The number that the first record has in the header of that name; undefined where it has none. */
  readonly numberOf: (name: string) => number | undefined
}

const numberIn = ({ headers }: Record, name: string): number | undefined => {
  const value = headers.find(({ key }) => key === name)?.value
  const number = value === undefined || value === null ? Number.NaN : Number.parseInt(text.decode(value), 10)
  return Number.isSafeInteger(number) ? number : undefined
}

/**
 * Decodes runs of batches and compares the batches' checksums: states are folded from a journal, so damage must not
 * pass.
 */
export const decodeBatches = (stream: string, runs: ReadonlyArray<Uint8Array>, crc32c: Crc32c): Either.Either<ReadonlyArray<DecodedBatch>, LogFault> => {
  const damaged = (position: string, why: string) =>
    Either.left(
      new LogFault({ path: stream, reason: "corrupt", message: `The journal ${stream} is damaged ${position}: ${why}. Restore its log from a copy.` })
    )
  const decoded: Array<DecodedBatch> = []
  for (const run of runs) {
    const batches = readableBatches(run)
    if (Either.isLeft(batches)) return damaged("between batches", batches.left.reason)
    for (const batch of batches.right) {
      const wrong = verify(batch, crc32c)
      if (wrong !== undefined) return damaged(`at ${batch.baseOffset}`, wrong.reason)
      if (batch.codec !== "none") return damaged(`at ${batch.baseOffset}`, `entries are never compressed, this batch says ${batch.codec}`)
      const records = decodeRecords(batch, batch.records)
      if (Either.isLeft(records)) return damaged(`at ${batch.baseOffset}`, records.left.reason)
      const [first] = records.right
      const numberOf = (name: string) => (first === undefined ? undefined : numberIn(first, name))
      decoded.push({ batch, entries: records.right.map(fromRecord), numberOf })
    }
  }
  return Either.right(decoded)
}

/** Decodes the entries of runs of batches, as `decodeBatches`. */
export const decodeEntries = (stream: string, runs: ReadonlyArray<Uint8Array>, crc32c: Crc32c): Either.Either<Chunk.Chunk<StoredEntry>, LogFault> =>
  Either.map(decodeBatches(stream, runs, crc32c), (batches) => Chunk.unsafeFromArray(batches.flatMap(({ entries }) => entries)))
