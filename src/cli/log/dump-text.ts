import { printableJson } from "../../../domain/kernel/printable.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { Dumped } from "../../../domain/log/inspection.ts"
import type { Record as LogRecord } from "../../../domain/log/record.ts"

const strict = new TextDecoder("utf-8", { fatal: true })
/** Characters of a key or value in a line of text; --json has all of them. */
const shownMax = 200

const decoded = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** Characters that move a terminal's cursor, change its colours or hide themselves are written as escapes. */
const escaped = (text: string): string => printableJson(JSON.stringify(text))

/** `"text"`, `hex:00ff`, or `null`, with the size of what is not shown. */
export const shownBytes = (bytes: Uint8Array | null): string => {
  if (bytes === null) return "null"
  const text = decoded(bytes)
  if (text !== undefined) return text.length <= shownMax ? escaped(text) : `${escaped(text.slice(0, shownMax))}… (${bytes.length} bytes)`
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, shownMax / 2)).toString("hex")
  return bytes.length <= shownMax / 2 ? `hex:${hex}` : `hex:${hex}… (${bytes.length} bytes)`
}

/** Text where the bytes are UTF-8, base64 under another name where they are not. */
const exact = (name: string, bytes: Uint8Array | null): Record<string, string | null> => {
  if (bytes === null) return { [name]: null }
  const text = decoded(bytes)
  return text === undefined ? { [`${name}Base64`]: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64") } : { [name]: text }
}

/** Milliseconds as an ISO time, or as a number where they are out of its range. */
const time = (ms: number): string => (ms < 0 ? String(ms) : ms > 8_640_000_000_000_000 ? String(ms) : new Date(ms).toISOString())

const flags = (batch: RecordBatch): ReadonlyArray<string> => [
  ...(batch.isTransactional ? ["transactional"] : []),
  ...(batch.isControl ? ["control"] : []),
  ...(batch.timestampType === "LogAppendTime" ? ["LogAppendTime"] : []),
  ...(batch.deleteHorizonMs === undefined ? [] : [`tombstones until ${time(batch.deleteHorizonMs)}`])
]

/**
 * From the first record's timestamp to the latest. A batch with a delete horizon has it in place of the first
 * (KIP-534).
 */
const times = ({ baseTimestamp, deleteHorizonMs, maxTimestamp }: RecordBatch): string =>
  deleteHorizonMs !== undefined || maxTimestamp === baseTimestamp ? time(maxTimestamp) : `${time(baseTimestamp)}..${time(maxTimestamp)}`

const batchLine = (position: number, batch: RecordBatch): string =>
  [
    `@${position}`,
    `offsets ${batch.baseOffset}-${batch.lastOffset}`,
    `records ${batch.recordCount}`,
    `bytes ${batch.sizeInBytes}`,
    `epoch ${batch.partitionLeaderEpoch}`,
    ...(batch.hasProducerId ? [`producer ${batch.producerId} epoch ${batch.producerEpoch} sequence ${batch.baseSequence}-${batch.lastSequence}`] : []),
    `codec ${batch.codec}`,
    `time ${times(batch)}`,
    ...flags(batch),
    "crc ok"
  ].join("  ")

const recordLine = ({ headers, key, offset, timestamp, value }: LogRecord): string => {
  const shown = headers.map((header) => `${escaped(header.key.slice(0, shownMax))}=${shownBytes(header.value)}`)
  return `  ${offset}  ${time(timestamp)}  key ${shownBytes(key)}  value ${shownBytes(value)}${shown.length === 0 ? "" : `  headers ${shown.join(" ")}`}`
}

/** Yields a piece as lines of text, one by one: a batch may have a million records. */
export function* dumpLines(piece: Dumped): Generator<string> {
  switch (piece._tag) {
    case "Damage":
      return yield `@${piece.position}  DAMAGED up to byte ${piece.until - 1}: ${piece.reason}`
    case "OffsetEntry":
      return yield `${piece.slot}  offset ${piece.entry.offset}  byte ${piece.entry.position}`
    case "TimeEntry":
      return yield `${piece.slot}  timestamp ${piece.entry.timestamp} (${time(piece.entry.timestamp)})  offset ${piece.entry.offset}`
    case "Batch":
      yield batchLine(piece.position, piece.batch)
      for (const record of piece.records ?? []) yield recordLine(record)
      if (piece.unreadable !== undefined) yield `  UNREADABLE records: ${piece.unreadable}`
  }
}

const batchJson = (position: number, batch: RecordBatch, unreadable: string | undefined): string =>
  JSON.stringify({
    type: "batch",
    position,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    recordCount: batch.recordCount,
    sizeInBytes: batch.sizeInBytes,
    leaderEpoch: batch.partitionLeaderEpoch,
    producerId: String(batch.producerId),
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    codec: batch.codec,
    timestampType: batch.timestampType,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    ...(batch.deleteHorizonMs === undefined ? {} : { deleteHorizonMs: batch.deleteHorizonMs }),
    crc: batch.crc,
    crcOk: true,
    ...(unreadable === undefined ? {} : { unreadable })
  })

const recordJson = ({ headers, key, offset, timestamp, value }: LogRecord): string =>
  JSON.stringify({
    type: "record",
    offset,
    timestamp,
    ...exact("key", key),
    ...exact("value", value),
    headers: headers.map((header) => ({ key: header.key, ...exact("value", header.value) }))
  })

/** Yields a piece as lines of JSON, complete: a batch, and then its records. */
export function* dumpJson(piece: Dumped): Generator<string> {
  switch (piece._tag) {
    case "Damage":
      return yield JSON.stringify({ type: "damage", position: piece.position, until: piece.until, reason: piece.reason })
    case "OffsetEntry":
      return yield JSON.stringify({ type: "offsetEntry", slot: piece.slot, ...piece.entry })
    case "TimeEntry":
      return yield JSON.stringify({ type: "timeEntry", slot: piece.slot, ...piece.entry })
    case "Batch":
      yield batchJson(piece.position, piece.batch, piece.unreadable)
      for (const record of piece.records ?? []) yield recordJson(record)
  }
}
