import type { Offset } from "../kernel/id.ts"
import { fieldAt, type RecordBatch } from "./batch.ts"
import { type Crc32c, extendCrc32c } from "./crc32c.ts"
import { readInt32, readInt64, readUint32, writeInt32, writeInt64 } from "./int.ts"

/**
 * Bytes of a segment that one checksum covers, at least: a chunk ends with the batch that fills it. Damage that
 * only the chain sees is named this closely.
 */
export const chainChunkBytes = 1_048_576

/** The checksum of the headers in one chunk of a segment; the chunk ends before byte `end`. */
export interface ChainEntry {
  readonly end: number
  readonly crc: number
}

/**
 * Checksums over the headers of a segment's batches. A batch's CRC covers its attributes and all that follows, and so
 * neither its base offset nor its length, its leader epoch or its magic: a flipped bit there may look like a right
 * batch. The chain is a CRC-32C over the first 21 bytes of each batch, one after the other, which end with the batch's
 * own CRC. So the chain and the CRCs together cover every byte of the segment, and the chain costs 21 bytes a batch and
 * never opens a record.
 */
export class HeaderChain {
  private readonly ended: Array<ChainEntry>
  /** Where the chunk starts that is not full yet. */
  private start: number
  private crc: number
  private position: number

  /** Continues from what an earlier chain's `entries` were. */
  constructor(entries: ReadonlyArray<ChainEntry> = []) {
    const last = entries.at(-1)
    const start = entries.at(-2)?.end ?? 0
    const isOpen = last !== undefined && last.end - start < chainChunkBytes
    this.ended = isOpen ? entries.slice(0, -1) : [...entries]
    this.position = last?.end ?? 0
    this.start = isOpen ? start : this.position
    this.crc = isOpen ? last.crc : 0
  }

  /** Bytes of the batches so far. */
  get sizeInBytes(): number {
    return this.position
  }

  /** The next batch; its header is enough. */
  add(batch: RecordBatch): void {
    this.crc = extendCrc32c(this.crc, batch.bytes, 0, fieldAt.attributes)
    this.position += batch.sizeInBytes
    if (this.position - this.start < chainChunkBytes) return
    this.ended.push({ end: this.position, crc: this.crc })
    this.start = this.position
    this.crc = 0
  }

  /** One for each chunk, in order; the last may be short. */
  entries(): ReadonlyArray<ChainEntry> {
    return this.position === this.start ? this.ended : [...this.ended, { end: this.position, crc: this.crc }]
  }
}

/** What the checksum file of a segment says. */
export interface SegmentChecksum {
  readonly baseOffset: Offset
  readonly sizeInBytes: number
  readonly entries: ReadonlyArray<ChainEntry>
}

// magic (int32), version (int32), base offset (int64), size (int32), number of entries (int32); for each entry its end
// (int32) and its CRC (uint32); the CRC-32C of all that (uint32).
const magic = 0x43465343
const version = 1
const headBytes = 24
const entryBytes = 8
const crcBytes = 4
/** No checksum file is larger: a segment's size is an int32. */
export const checksumBytesMax: number = headBytes + (Math.ceil(0x7fff_ffff / chainChunkBytes) + 1) * entryBytes + crcBytes

export const encodeChecksum = ({ baseOffset, entries, sizeInBytes }: SegmentChecksum, crc32c: Crc32c): Uint8Array => {
  const bytes = new Uint8Array(headBytes + entries.length * entryBytes + crcBytes)
  writeInt32(bytes, 0, magic)
  writeInt32(bytes, 4, version)
  writeInt64(bytes, 8, baseOffset)
  writeInt32(bytes, 16, sizeInBytes)
  writeInt32(bytes, 20, entries.length)
  for (const [i, { crc, end }] of entries.entries()) {
    writeInt32(bytes, headBytes + i * entryBytes, end)
    writeInt32(bytes, headBytes + i * entryBytes + 4, crc)
  }
  const checked = bytes.length - crcBytes
  writeInt32(bytes, checked, crc32c(bytes, 0, checked))
  return bytes
}

/**
 * The contents of the file; undefined where it is torn, damaged, or of a version that is not known. Such a file says nothing,
 * and is made again from the segment.
 */
export const decodeChecksum = (bytes: Uint8Array, crc32c: Crc32c): SegmentChecksum | undefined => {
  const checked = bytes.length - crcBytes
  if (checked < headBytes || readInt32(bytes, 0) !== magic || readInt32(bytes, 4) !== version) return undefined
  const count = readInt32(bytes, 20)
  if (count < 0 || headBytes + count * entryBytes !== checked || readUint32(bytes, checked) !== crc32c(bytes, 0, checked)) return undefined
  const entries: Array<ChainEntry> = []
  for (let at = headBytes; at < checked; at += entryBytes) entries.push({ end: readInt32(bytes, at), crc: readUint32(bytes, at + 4) })
  const sizeInBytes = readInt32(bytes, 16)
  // One that stops before the segment does would leave its end unguarded without a word.
  if ((entries.at(-1)?.end ?? 0) !== sizeInBytes || entries.some(({ end }, i) => end <= (entries[i - 1]?.end ?? 0))) return undefined
  return { baseOffset: readInt64(bytes, 8), sizeInBytes, entries }
}
