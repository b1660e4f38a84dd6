import { Chunk, Either } from "effect"
import { readableBatches, verify } from "../../domain/log/batch.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { decodeRecords, encodeBatch, type Record, type RecordToWrite } from "../../domain/log/record.ts"
import type { Entry, StoredEntry } from "../../src/ports/journal.ts"
import { LogFault } from "../../src/ports/log-store.ts"

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

/** Encodes the entries of one append as one uncompressed batch, so that a crash keeps all of them or none. */
export const encodeEntries = (entries: ReadonlyArray<Entry>, index: number, epoch: number, timestamp: number, crc32c: Crc32c): Uint8Array =>
  encodeBatch(
    { baseOffset: index, leaderEpoch: epoch, codec: "none", records: entries.map((entry) => toRecord(entry, timestamp)) },
    { crc32c, compress: (_, bytes) => bytes }
  )

/**
 * Decodes the entries of runs of batches and compares the batches' checksums: the cluster's state is folded from a
 * journal, so damage must not pass.
 */
export const decodeEntries = (stream: string, runs: ReadonlyArray<Uint8Array>, crc32c: Crc32c): Either.Either<Chunk.Chunk<StoredEntry>, LogFault> => {
  const damaged = (position: string, why: string) =>
    Either.left(
      new LogFault({ path: stream, reason: "corrupt", message: `The journal ${stream} is damaged ${position}: ${why}. Restore its log from a copy.` })
    )
  const entries: Array<StoredEntry> = []
  for (const run of runs) {
    const batches = readableBatches(run)
    if (Either.isLeft(batches)) return damaged("between batches", batches.left.reason)
    for (const batch of batches.right) {
      const wrong = verify(batch, crc32c)
      if (wrong !== undefined) return damaged(`at ${batch.baseOffset}`, wrong.reason)
      if (batch.codec !== "none") return damaged(`at ${batch.baseOffset}`, `entries are never compressed, this batch says ${batch.codec}`)
      const records = decodeRecords(batch, batch.records)
      if (Either.isLeft(records)) return damaged(`at ${batch.baseOffset}`, records.left.reason)
      for (const record of records.right) entries.push(fromRecord(record))
    }
  }
  return Either.right(Chunk.unsafeFromArray(entries))
}
