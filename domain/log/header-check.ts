import type { Offset } from "../kernel/id.ts"
import { fieldAt, type RecordBatch } from "./batch.ts"
import { extendCrc32c, flippedBit } from "./crc32c.ts"
import type { ChainEntry } from "./header-chain.ts"
import { readInt64 } from "./int.ts"

/** The one bit that was turned over, where that explains it all. */
interface FlippedBit {
  /** Byte in the segment. */
  readonly position: number
  readonly mask: number
  /** Where the batch starts whose header it is. */
  readonly batchPosition: number
  /** What the byte belongs to: "base offset". */
  readonly field: string
}

/**
 * A chunk of a segment in which a header is not what it was when the segment was ended: bytes from `from` (included) to
 * `to` (left out).
 */
export interface ChangedHeader {
  readonly from: number
  readonly to: number
  /** The offset of the chunk's first batch, as the batch says it. */
  readonly offset: Offset
  readonly flipped: FlippedBit | undefined
}

const headerBytes = fieldAt.attributes

const fieldOf = (at: number): string => {
  if (at < fieldAt.batchLength) return "base offset"
  if (at < fieldAt.leaderEpoch) return "length"
  if (at < fieldAt.magic) return "leader epoch"
  return at < fieldAt.crc ? "magic" : "CRC"
}

/**
 * Compares the headers of a segment's batches with its checksum, chunk by chunk. A chunk that cannot be read whole is
 * not judged: it has another fault already.
 */
export class HeaderCheck {
  readonly changed: Array<ChangedHeader> = []
  private slot = 0
  private crc = 0
  /** Where the batches of this chunk start. */
  private starts: Array<number> = []
  private next = 0
  private offset: Offset = 0
  /** A part of the chunk is no right batch: then only a bit whose turning back explains all of it is told. */
  private isBroken = false

  constructor(private readonly entries: ReadonlyArray<ChainEntry>) {}

  /** Whether the chunks reach to the end of a segment of so many bytes, and every one was compared or given up. */
  hasJudged(sizeInBytes: number): boolean {
    return this.slot === this.entries.length && (this.entries.at(-1)?.end ?? 0) === sizeInBytes
  }

  /** The batch that starts at `position`, in order; its header is enough. */
  visit(batch: RecordBatch, position: number): void {
    this.add(batch.bytes, position, position + batch.sizeInBytes)
  }

  /** Bytes that are no right batch: maybe one whose header changed. `header` is their first bytes. */
  visitDamage(header: Uint8Array, from: number, until: number): void {
    if (header.length < headerBytes) return
    this.add(header, from, until, true)
  }

  private add(header: Uint8Array, position: number, next: number, isBroken = false): void {
    for (let entry = this.entries[this.slot]; entry !== undefined && entry.end <= position; entry = this.entries[this.slot]) this.begin(this.slot + 1)
    const entry = this.entries[this.slot]
    // Bytes before it were skipped, so the chunk is not whole.
    if (entry === undefined || position !== this.next) return
    if (this.starts.length === 0) this.offset = readInt64(header, fieldAt.baseOffset)
    if (isBroken) this.isBroken = true
    this.crc = extendCrc32c(this.crc, header, 0, headerBytes)
    this.starts.push(position)
    this.next = next
    if (next !== entry.end) return
    const changed = this.crc === entry.crc ? undefined : this.judge(entry)
    if (changed !== undefined && (changed.flipped !== undefined || !this.isBroken)) this.changed.push(changed)
    this.begin(this.slot + 1)
  }

  private begin(slot: number): void {
    this.next = this.entries[slot - 1]?.end ?? 0
    this.slot = slot
    this.crc = 0
    this.starts = []
    this.isBroken = false
  }

  private judge({ crc, end }: ChainEntry): ChangedHeader {
    const { offset, starts } = this
    const from = starts[0] as number
    const bit = flippedBit(crc, this.crc, starts.length * headerBytes)
    if (bit === undefined) return { from, to: end, offset, flipped: undefined }
    const at = starts.length * headerBytes - 1 - bit.fromEnd
    const batchPosition = starts[Math.floor(at / headerBytes)] as number
    const within = at % headerBytes
    return { from, to: end, offset, flipped: { position: batchPosition + within, mask: bit.mask, batchPosition, field: fieldOf(within) } }
  }
}

/** What is known of a changed header, as a sentence without its end. */
export const changedText = ({ flipped, from, to }: ChangedHeader): string =>
  flipped === undefined
    ? `the headers of the batches in bytes ${from} to ${to - 1} are not what they were when the segment was ended (an offset, a length or a leader epoch, which a batch's own CRC does not cover)`
    : `bit ${Math.log2(flipped.mask)} of byte ${flipped.position} was turned over: it belongs to the ${flipped.field} of the batch that starts at byte ${flipped.batchPosition}, which the batch's own CRC does not cover, and with that bit turned back the checksum of the segment fits`
