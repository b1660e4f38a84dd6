import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { readInt32, readInt64, readUint32, writeInt32, writeInt64 } from "../../../domain/log/int.ts"
import type { Disk, DiskFile, ReadableDisk, ReadableFile } from "../disk/disk.ts"

/** How far a log was durable when this was written: everything before `offset`, which ends at byte `position` of the segment that starts at `baseOffset`. */
export interface RecoveryPoint {
  readonly offset: Offset
  readonly baseOffset: Offset
  readonly position: number
  /** The log was closed there cleanly: indexes are whole, nothing follows. */
  readonly isClean: boolean
  /** A sync of what follows failed. The kernel then calls pages clean that never reached the disk, and would sync them with success the next time: they must be written again. */
  readonly syncFailed: boolean
  /** After a clean close: of the last segment's index files, which a power cut after it may tear. Otherwise 0. */
  readonly indexesChecksum?: number
  /** The log is being cut so that it ends here; "restart": what is before goes, too, and the log starts here. Whenever the log is opened, the cut is finished. */
  readonly cut?: "truncate" | "restart" | undefined
}

// magic (int32), generation (int64), offset (int64), base offset (int64), position (int32), flags (int32), checksum of the indexes (uint32), CRC-32C of it all (uint32).
const slotBytes = 44
const checkedBytes = 40
/** Each slot in a sector of its own: a torn write damages one of them only. */
const sectorBytes = 512
const magic = 0x43465251
const flag = { clean: 1, syncFailed: 2, truncate: 4, restart: 8 } as const

export const recoveryPointFileName = "recovery-point"

/** The newer of the two slots of a file that are whole. */
const newestPoint = (file: ReadableFile, crc32c: Crc32c): { readonly point: RecoveryPoint; readonly generation: number } | undefined => {
  const bytes = new Uint8Array(sectorBytes + slotBytes)
  const size = file.read(bytes, 0)
  let found: { readonly point: RecoveryPoint; readonly generation: number } | undefined
  for (const at of [0, sectorBytes]) {
    const slot = bytes.subarray(at, at + slotBytes)
    const isWhole = at + slotBytes <= size && readInt32(slot, 0) === magic && readUint32(slot, checkedBytes) === crc32c(slot, 0, checkedBytes)
    const generation = readInt64(slot, 4)
    if (!isWhole || generation <= (found?.generation ?? 0)) continue
    const flags = readInt32(slot, 32)
    const point = {
      offset: readInt64(slot, 12),
      baseOffset: readInt64(slot, 20),
      position: readInt32(slot, 28),
      isClean: (flags & flag.clean) !== 0,
      syncFailed: (flags & flag.syncFailed) !== 0,
      indexesChecksum: readUint32(slot, 36),
      cut: (flags & flag.truncate) !== 0 ? ("truncate" as const) : (flags & flag.restart) !== 0 ? ("restart" as const) : undefined
    }
    found = { point, generation }
  }
  return found
}

/** The recovery point of a log that is only read; undefined where there is none that is whole. Throws what the disk throws. */
export const readRecoveryPoint = (disk: ReadableDisk, directory: string, crc32c: Crc32c): RecoveryPoint | undefined => {
  const path = `${directory}/${recoveryPointFileName}`
  if (!disk.exists(path)) return undefined
  const file = disk.open(path, "read")
  try {
    return newestPoint(file, crc32c)?.point
  } finally {
    file.close()
  }
}

/**
 * The recovery point of a log, in a file beside its segments. It is written after each sync and never synced in its turn while the log is open: it may lag
 * behind after a power cut, but it is never ahead of what is durable. After the end of a process alone it is exact. So damage before it is
 * never a torn tail (L9).
 */
export class RecoveryPointFile {
  private file: DiskFile | undefined
  private generation = 0
  /** A point was written since it was read. */
  isWritten = false
  private readonly slot = new Uint8Array(slotBytes)
  readonly path: string

  constructor(
    private readonly disk: Disk,
    directory: string,
    private readonly crc32c: Crc32c
  ) {
    this.path = `${directory}/${recoveryPointFileName}`
  }

  /** The newer of the two slots that are whole; undefined when there is none. Throws what the disk throws. */
  read(): RecoveryPoint | undefined {
    if (!this.disk.exists(this.path)) return undefined
    const found = newestPoint(this.open(), this.crc32c)
    if (found !== undefined) this.generation = found.generation
    return found?.point
  }

  /** Throws what the disk throws. A lost write costs a longer recovery, nothing else. */
  write({ baseOffset, cut, indexesChecksum = 0, isClean, offset, position, syncFailed }: RecoveryPoint): void {
    const slot = this.slot
    this.generation++
    writeInt32(slot, 0, magic)
    writeInt64(slot, 4, this.generation)
    writeInt64(slot, 12, offset)
    writeInt64(slot, 20, baseOffset)
    writeInt32(slot, 28, position)
    writeInt32(slot, 32, (isClean ? flag.clean : 0) | (syncFailed ? flag.syncFailed : 0) | (cut === undefined ? 0 : flag[cut]))
    writeInt32(slot, 36, indexesChecksum)
    writeInt32(slot, checkedBytes, this.crc32c(slot, 0, checkedBytes))
    this.isWritten = true
    this.open().write([slot], this.slotAt)
  }

  /** Makes sure that the file is there, so that the next sync of the directory covers its name. */
  touch(): void {
    this.open()
  }

  /**
   * Makes the newest point durable: it need not be, but a longer recovery is spared after a power cut. It is written once more, since its file may have been
   * closed in between: the sync of a new descriptor need not tell that an earlier write failed.
   */
  readonly sync: Effect.Effect<void, unknown> = Effect.flatMap(
    Effect.try({
      try: () => {
        const file = this.open()
        if (this.isWritten) file.write([this.slot], this.slotAt)
        return file
      },
      catch: (error) => error
    }),
    (file) => file.sync
  )

  /**
   * Makes a point durable in both slots. After a cut that was finished, no point is left that says that it is not: of points written later a power cut may keep
   * any, and the cut would be made again, with what was appended since.
   */
  replace(point: RecoveryPoint): Effect.Effect<void, unknown> {
    const written = Effect.try({
      try: () => {
        this.write(point)
        this.write(point)
        return this.open()
      },
      catch: (error) => error
    })
    return Effect.flatMap(written, (file) => file.sync)
  }

  close(): void {
    this.file?.close()
    this.file = undefined
  }

  private get slotAt(): number {
    return (this.generation % 2) * sectorBytes
  }
  private open(): DiskFile {
    this.file ??= this.disk.open(this.path, "note")
    return this.file
  }
}
