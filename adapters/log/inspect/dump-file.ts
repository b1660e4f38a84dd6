import { basename, resolve } from "node:path"
import { type Context, Effect, Either, type Scope } from "effect"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { Dumped } from "../../../domain/log/inspection.ts"
import { offsetEntryAt, offsetEntrySize } from "../../../domain/log/offset-index.ts"
import { type Decompress, readRecords } from "../../../domain/log/record.ts"
import { timeEntryAt, timeEntrySize } from "../../../domain/log/time-index.ts"
import type { Compression, CompressionFault } from "../../../src/ports/compression.ts"
import type { ReadableFile } from "../disk/disk.ts"
import { InspectionFault, inspectedDisk, reading } from "./inspected-directories.ts"
import { entryReader, segmentPieces } from "./segment-walk.ts"

/** Bytes that a batch's records may unpack to. */
const recordsBytesMax = 268_435_456

function* batches(file: ReadableFile, crc32c: Crc32c, decompress: Decompress<CompressionFault> | undefined): Generator<Dumped> {
  const opened = (batch: RecordBatch) => (decompress === undefined ? undefined : readRecords(batch, decompress, recordsBytesMax))
  for (const piece of segmentPieces(file, file.size(), crc32c, () => 0)) {
    if (piece._tag === "Damage") yield piece
    else {
      const records = opened(piece.batch)
      yield {
        ...piece,
        records: records === undefined || Either.isLeft(records) ? undefined : records.right,
        unreadable: records !== undefined && Either.isLeft(records) ? records.left.message : undefined
      }
    }
  }
}

/** The entries of an index, and what is left at its end. */
function* entries<Entry>(
  file: ReadableFile,
  entrySize: number,
  take: () => Entry | undefined,
  piece: (entry: Entry, slot: number) => Dumped
): Generator<Dumped> {
  let slot = 0
  for (let entry = take(); entry !== undefined; entry = take()) yield piece(entry, slot++)
  const size = file.size()
  const position = slot * entrySize
  if (size > position) yield { _tag: "Damage", position, until: size, reason: `${size - position} bytes are no whole entry of ${entrySize}` }
}

/** `00000000000000000042.timeindex`, or what a removal or a repair made of that name. */
const fileForm = /^(\d{20})\.(log|index|timeindex)(\..*)?$/

/**
 * Returns the pieces of a `.log`, `.index` or `.timeindex` file, which is open until the scope closes. Taking a piece
 * may throw what the disk throws.
 */
export const dumpFile =
  (crc32c: Crc32c, compression: Context.Tag.Service<Compression>) =>
  (name: string, { records }: { readonly records: boolean }): Effect.Effect<Iterable<Dumped>, InspectionFault, Scope.Scope> =>
    Effect.gen(function* () {
      const path = resolve(name)
      const [, digits, kind] = fileForm.exec(basename(path)) ?? []
      const baseOffset = Number(digits)
      if (kind === undefined || !Number.isSafeInteger(baseOffset))
        return yield* new InspectionFault({
          kind: "usage",
          message: `${path} is no segment: expected a file like 00000000000000000000.log, .index or .timeindex.`
        })
      if (!inspectedDisk.exists(path)) return yield* new InspectionFault({ kind: "usage", message: `There is no file ${path}.` })
      const file = yield* Effect.acquireRelease(
        reading(path, () => inspectedDisk.open(path, "read")),
        (open) => Effect.sync(() => open.close())
      )
      if (kind === "log") return batches(file, crc32c, records ? compression.decompress : undefined)
      if (kind === "index")
        return entries(file, offsetEntrySize, entryReader(file, offsetEntrySize, offsetEntryAt, baseOffset), (entry, slot) => ({
          _tag: "OffsetEntry",
          slot,
          entry
        }))
      return entries(file, timeEntrySize, entryReader(file, timeEntrySize, timeEntryAt, baseOffset), (entry, slot) => ({ _tag: "TimeEntry", slot, entry }))
    })
