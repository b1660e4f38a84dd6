import { textBytesMax } from "./reader.ts"
import { unwritable } from "./unwritable.ts"
import { writeUuid } from "./uuid.ts"
import { writeFloat64, writeInt32, writeInt64 } from "./words.ts"

const encoder = new TextEncoder()
/** Bytes from this length on go out as a chunk of their own, without a copy. */
const ownChunkBytesMin = 1024
const firstBufferBytes = 256
/** What is finished leaves as a copy up to this length: quicker than a view, which moves the buffer out of the engine's own heap, and it keeps no more memory than it needs. */
const copiedBytesMax = 512
/** A writer that pauses does so about every so many bytes: some hundred µs of small elements. */
const pauseBytes = 8192
const bufferBytesMax = 64 * 1024
/** Below this length a loop over ASCII characters is quicker than a call of TextEncoder. */
const shortText = 64

/**
 * Collects a message as a list of chunks. Small values are copied into buffers of the writer's own, which are not written to again once they are handed out;
 * large ones are handed on as they are. A full buffer is never moved: the next one is twice its size.
 */
export class Writer {
  private readonly chunks: Array<Uint8Array> = []
  private buffer: Uint8Array = new Uint8Array(firstBufferBytes)
  /** The first byte of `buffer` that is not part of a finished chunk. */
  private start = 0
  private at = 0
  private finished = 0
  private pauseAt = pauseBytes

  /** Bytes written so far. */
  get size(): number {
    return this.finished + this.at - this.start
  }
  /** Whether enough was written since the last time that this was true to let others run. */
  get isPauseDue(): boolean {
    if (this.size < this.pauseAt) return false
    this.pauseAt = this.size + pauseBytes
    return true
  }
  /** The chunks of everything written. The writer must not be used afterwards. */
  finish(): ReadonlyArray<Uint8Array> {
    this.flush()
    return this.chunks
  }
  private flush(): void {
    if (this.at === this.start) return
    const size = this.at - this.start
    this.finished += size
    if (size > copiedBytesMax) {
      this.chunks.push(this.buffer.subarray(this.start, this.at))
      this.start = this.at
    } else {
      this.chunks.push(this.buffer.slice(this.start, this.at))
      this.at = this.start
    }
  }
  /** Makes room for `size` bytes in one piece; returns where they begin. */
  private take(size: number): number {
    if (size > this.buffer.length - this.at) {
      this.flush()
      this.buffer = new Uint8Array(Math.max(size, Math.min(this.buffer.length * 2, bufferBytesMax)))
      this.start = 0
      this.at = 0
    }
    const at = this.at
    this.at = at + size
    return at
  }

  private put16(at: number, value: number): void {
    this.buffer[at] = value >> 8
    this.buffer[at + 1] = value
  }

  bool(value: boolean): void {
    const at = this.take(1)
    this.buffer[at] = value ? 1 : 0
  }
  int8(value: number): void {
    if ((value << 24) >> 24 !== value) unwritable(`${value} is not an int8`)
    const at = this.take(1)
    this.buffer[at] = value
  }
  int16(value: number): void {
    if ((value << 16) >> 16 !== value) unwritable(`${value} is not an int16`)
    this.put16(this.take(2), value)
  }
  int32(value: number): void {
    if ((value | 0) !== value) unwritable(`${value} is not an int32`)
    const at = this.take(4)
    writeInt32(this.buffer, at, value)
  }
  int64(value: bigint): void {
    if (typeof value !== "bigint" || value > 0x7fffffffffffffffn || value < -0x8000000000000000n) unwritable(`${value} is not an int64`)
    const at = this.take(8)
    writeInt64(this.buffer, at, value)
  }
  uint16(value: number): void {
    if ((value & 0xffff) !== value) unwritable(`${value} is not a uint16`)
    this.put16(this.take(2), value)
  }
  uint32(value: number): void {
    if (value >>> 0 !== value) unwritable(`${value} is not a uint32`)
    const at = this.take(4)
    writeInt32(this.buffer, at, value)
  }
  float64(value: number): void {
    if (typeof value !== "number") unwritable(`${value} is not a float64`)
    const at = this.take(8)
    writeFloat64(this.buffer, at, value)
  }
  uuid(value: string): void {
    const at = this.take(16)
    if (!writeUuid(value, this.buffer, at)) unwritable(`'${value}' is not a UUID in Kafka's form, 22 characters of base64url`)
  }
  varint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      const at = this.take(1)
      this.buffer[at] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    const at = this.take(1)
    this.buffer[at] = rest
  }

  text(value: string, compact: boolean): void {
    if (value.length >= shortText || !this.ascii(value, compact)) {
      const utf8 = encoder.encode(value)
      this.textLength(utf8.length, compact)
      this.raw(utf8)
    }
  }
  private textLength(length: number, compact: boolean): void {
    if (length > textBytesMax) unwritable(`text of ${length} bytes, at most ${textBytesMax} allowed`)
    if (compact) this.varint(length + 1)
    else this.int16(length)
  }
  /** Short text, if it is ASCII; nothing is written where it is not. */
  private ascii(value: string, compact: boolean): boolean {
    const prefix = compact ? 1 : 2
    const at = this.take(prefix + value.length)
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index)
      if (code >= 0x80) {
        this.at = at
        return false
      }
      this.buffer[at + prefix + index] = code
    }
    if (compact) this.buffer[at] = value.length + 1
    else this.put16(at, value.length)
    return true
  }

  raw(value: Uint8Array): void {
    if (value.length >= ownChunkBytesMin) {
      this.flush()
      this.chunks.push(value)
      this.finished += value.length
    } else {
      const at = this.take(value.length)
      this.buffer.set(value, at)
    }
  }
}
