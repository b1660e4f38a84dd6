import { Either } from "effect"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import { fieldAt, headerSize, RecordBatch, verify, viewHeader } from "../../../domain/log/batch.ts"
import { type Crc32c, extendCrc32c } from "../../../domain/log/crc32c.ts"
import { type ChainEntry, HeaderChain } from "../../../domain/log/header-chain.ts"
import { changedText, HeaderCheck } from "../../../domain/log/header-check.ts"
import type { DiskFile } from "../disk/disk.ts"
import type { SegmentPath } from "../segment/segment-files.ts"

/** A segment that is not written any more. */
export interface ScrubbedSegment {
  readonly path: SegmentPath
  readonly baseOffset: Offset
  /** The offset after its last record. */
  readonly endOffset: Offset
  readonly sizeInBytes: number
  /** Asked for with each slice: what is kept open may change between two of them. */
  readonly file: () => DiskFile
}

/** What a scrub found: bytes from `from` (included) to `to` (left out) are not what was written. */
export interface Damage {
  readonly from: number
  readonly to: number
  /** The first offset that is touched, and the last where it is known. */
  readonly offset: Offset
  readonly lastOffset: Offset | undefined
  /** What is wrong, as a sentence without its end. */
  readonly reason: string
  /** A repair can undo it without losing anything. */
  readonly isReversible: boolean
}

/** Bytes that a step reads: enough that a pass costs little, so few that the event loop is not held up. */
const sliceBytes = 262_144

/** A batch that is longer than a slice: its CRC is folded piece by piece. */
interface Large {
  readonly header: RecordBatch
  readonly start: number
  crc: number
}

/** Reads one sealed segment from its start to its end, in slices: every batch's CRC, the order of offsets and epochs, and all headers by the segment's checksum. */
export class SegmentScrub {
  /** Of the headers that were read so far; whole when the scrub is done. */
  readonly chain: HeaderChain = new HeaderChain()
  private readonly check: HeaderCheck | undefined
  private readonly memory: Uint8Array
  private position = 0
  private bytesRead = 0
  private next: Offset
  private epoch: Epoch = 0
  private large: Large | undefined

  /** `expected` is what the segment's checksum says; undefined where there is none. */
  constructor(
    private readonly segment: ScrubbedSegment,
    expected: ReadonlyArray<ChainEntry> | undefined,
    private readonly crc32c: Crc32c
  ) {
    this.check = expected === undefined ? undefined : new HeaderCheck(expected)
    this.memory = new Uint8Array(Math.min(sliceBytes, segment.sizeInBytes))
    this.next = segment.baseOffset
  }

  get isDone(): boolean {
    return this.position === this.segment.sizeInBytes && this.large === undefined
  }

  /** Bytes that were read since this was asked last. */
  takeBytesRead(): number {
    const { bytesRead } = this
    this.bytesRead = 0
    return bytesRead
  }

  /** Reads the next slice and answers the first damage in it. Nothing is to be read after damage. Throws what the disk throws. */
  step(): Damage | undefined {
    const { segment } = this
    const file = segment.file()
    const size = file.size()
    if (size !== segment.sizeInBytes)
      return this.damage(Math.min(size, segment.sizeInBytes), Math.max(size, segment.sizeInBytes), `the file has ${size} bytes, it had ${segment.sizeInBytes}`)
    if (this.isDone) return this.finish()
    const want = Math.min(this.memory.length, size - this.position)
    const bytes = this.memory.subarray(0, file.read(this.memory.subarray(0, want), this.position))
    this.bytesRead += bytes.length
    if (bytes.length < want) return this.damage(this.position + bytes.length, size, "the file ends here")
    return (this.large === undefined ? this.batches(bytes) : this.goOn(this.large, bytes)) ?? (this.isDone ? this.finish() : undefined)
  }

  private batches(bytes: Uint8Array): Damage | undefined {
    let at = 0
    while (at < bytes.length) {
      const found = viewHeader(bytes, at)
      const left = this.segment.sizeInBytes - this.position
      if (Either.isLeft(found)) return this.damage(this.position, this.position + headerSize, found.left.reason.replace(/\.$/, ""))
      const header = found.right
      if (header === undefined)
        return left < headerSize ? this.damage(this.position, this.segment.sizeInBytes, "less than a batch's header is left") : undefined
      const size = header.sizeInBytes
      if (size > left) return this.damage(this.position, this.segment.sizeInBytes, `a batch of ${size} bytes starts here, ${left} are left`)
      if (at + size > bytes.length) return at === 0 ? this.begin(header, bytes) : undefined
      const batch = new RecordBatch(bytes.subarray(at, at + size))
      const wrong = verify(batch, this.crc32c)?.reason.replace(/\.$/, "")
      const damage = wrong === undefined ? this.accept(batch, this.position) : this.damage(this.position, this.position + size, wrong, batch)
      if (damage !== undefined) return damage
      at += size
      this.position += size
    }
    return undefined
  }

  /** The slice holds the beginning of one batch alone. */
  private begin(header: RecordBatch, bytes: Uint8Array): undefined {
    this.large = { header: new RecordBatch(header.bytes.slice()), start: this.position, crc: extendCrc32c(0, bytes, fieldAt.attributes) }
    this.position += bytes.length
  }

  private goOn(large: Large, bytes: Uint8Array): Damage | undefined {
    const { header, start } = large
    const end = start + header.sizeInBytes
    const count = Math.min(bytes.length, end - this.position)
    large.crc = extendCrc32c(large.crc, bytes, 0, count)
    this.position += count
    if (this.position < end) return undefined
    this.large = undefined
    return large.crc === header.crc
      ? this.accept(header, start)
      : this.damage(start, end, `The batch says CRC ${header.crc}, its bytes give ${large.crc}`, header)
  }

  /** A batch with the right CRC: does it stand where it belongs? The checksum of the headers knows best which bit is wrong, so it is asked to its chunk's end first. */
  private accept(batch: RecordBatch, position: number): Damage | undefined {
    this.chain.add(batch)
    this.check?.visit(batch, position)
    const changed = this.check?.changed[0]
    const { baseOffset, lastOffset, partitionLeaderEpoch, sizeInBytes } = batch
    if (changed !== undefined) {
      const { flipped, from, offset, to } = changed
      const reason = changedText(changed)
      return flipped === undefined
        ? { from, to, offset, lastOffset: undefined, reason, isReversible: false }
        : { from: flipped.position, to: flipped.position + 1, offset, lastOffset: undefined, reason, isReversible: true }
    }
    const { endOffset } = this.segment
    const wrong =
      baseOffset < this.next || lastOffset >= endOffset
        ? `the batch has offsets ${baseOffset} to ${lastOffset}, between ${this.next} and ${endOffset - 1} is its place`
        : partitionLeaderEpoch < this.epoch
          ? `the batch has leader epoch ${partitionLeaderEpoch} after epoch ${this.epoch}`
          : undefined
    // With a checksum the walk continues to the end of the chunk, where it names the very bit; and what compaction took out leaves no mark in a checksum that fits.
    if (wrong !== undefined && this.check === undefined) return this.damage(position, position + sizeInBytes, wrong)
    this.next = Math.max(this.next, lastOffset + 1)
    this.epoch = Math.max(this.epoch, partitionLeaderEpoch)
    return undefined
  }

  private finish(): Damage | undefined {
    const { sizeInBytes } = this.segment
    return this.check?.hasJudged(sizeInBytes) === false
      ? this.damage(0, sizeInBytes, "the checksum of the segment was made of other batches than stand here")
      : undefined
  }

  private damage(from: number, to: number, reason: string, batch?: RecordBatch): Damage {
    const isPlausible = batch !== undefined && batch.lastOffset >= this.next && batch.lastOffset < this.segment.endOffset
    return { from, to, offset: this.next, lastOffset: isPlausible ? batch.lastOffset : undefined, reason, isReversible: false }
  }
}
