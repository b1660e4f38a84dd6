import { Malformed } from "./malformed.ts"
import { uuidText } from "./uuid.ts"
import { readFloat64, readInt32, readInt64 } from "./words.ts"

// A byte order mark is text like any other here: dropping it would change the bytes that are written back.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
/** Kafka's bound for every string, compact or not. */
export const textBytesMax = 0x7fff
/** Below this length a loop over ASCII bytes is quicker than a call of TextDecoder. */
const shortText = 32
/** Memory of one element of an array, bytes: an object of some ten fields, measured on Fetch's partitions and rounded up. */
export const elementBytes = 256

/** A reader that pauses does so about every so many bytes: a hundred µs of small elements. */
const pauseBytes = 4096

/** A cursor over one message. It checks every length against the bytes that are left before anything is taken, and throws Malformed. */
export class Reader {
  private elements = 0
  private textBytes = 0
  constructor(
    readonly bytes: Uint8Array,
    /** The next byte. */
    public at: number,
    /** The first byte that does not belong to the value any more. */
    public end: number,
    /** Elements of arrays and tagged fields that the value may have. */
    private readonly elementsMax = Number.POSITIVE_INFINITY,
    /** Bytes of text that it may have, long ones among them: what a reader that does not pause may take. */
    private readonly quickTextBytesMax = Number.POSITIVE_INFINITY
  ) {
    this.pauseAt = at + pauseBytes
  }
  private pauseAt: number

  fail(reason: string, position = this.at): never {
    throw new Malformed(position, reason)
  }

  /** Counts elements before they are read: two bytes of a frame can become an object of a hundred. */
  claim(count: number): void {
    this.elements += count
    if (this.elements > this.elementsMax) this.tooMany(`${this.elements} elements, at most ${this.elementsMax} are served`)
  }
  private tooMany(reason: string): never {
    throw new Malformed(this.at, reason, "elements")
  }

  /** Whether enough was read since the last time that this was true to let others run. */
  get isPauseDue(): boolean {
    if (this.at < this.pauseAt) return false
    this.pauseAt = this.at + pauseBytes
    return true
  }
  /** Memory of what was read, roughly, bytes; views of the message are not counted. */
  get decodedBytes(): number {
    return this.elements * elementBytes + this.textBytes
  }

  /** Moves over `size` bytes that must be there; returns where they begin. */
  take(size: number): number {
    const at = this.at
    if (size > this.end - at) this.fail(`${size} bytes expected, ${this.end - at} left`)
    this.at = at + size
    return at
  }

  bool(): boolean {
    return this.bytes[this.take(1)] !== 0
  }
  int8(): number {
    return ((this.bytes[this.take(1)] as number) << 24) >> 24
  }
  int16(): number {
    return (this.uint16() << 16) >> 16
  }
  int32(): number {
    return readInt32(this.bytes, this.take(4))
  }
  int64(): bigint {
    return readInt64(this.bytes, this.take(8))
  }
  uint16(): number {
    const at = this.take(2)
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number)
  }
  uint32(): number {
    return this.int32() >>> 0
  }
  float64(): number {
    return readFloat64(this.bytes, this.take(8))
  }
  uuid(): string {
    return uuidText(this.bytes, this.take(16))
  }

  /** 0 to 2^32 - 1 in at most five bytes, seven bits each, lowest first. */
  varint(): number {
    const first = this.bytes[this.take(1)] ?? 0
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let shift = 7; shift <= 28; shift += 7) {
      const byte = this.bytes[this.take(1)] ?? 0
      if (shift === 28 && byte > 0x0f) this.fail("varint of more than 32 bits", this.at - 1)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    return this.fail("varint of more than 32 bits")
  }

  /** A compact length or count: stored plus one, -1 for null. */
  compactLength(): number {
    return this.varint() - 1
  }
  /** A fixed length or count: -1 for null. */
  length16(): number {
    const length = this.int16()
    return length < -1 ? this.fail(`length ${length}`, this.at - 2) : length
  }
  length32(): number {
    const length = this.int32()
    return length < -1 ? this.fail(`length ${length}`, this.at - 4) : length
  }

  text(length: number): string {
    if (length > textBytesMax) this.fail(`text of ${length} bytes, at most ${textBytesMax} allowed`)
    const at = this.take(length)
    this.textBytes += length
    return length < shortText ? this.shortText(at, length) : this.longText(at, length)
  }
  private shortText(at: number, length: number): string {
    let text = ""
    for (let index = at; index < at + length; index++) {
      const byte = this.bytes[index] ?? 0
      if (byte >= 0x80) return this.longText(at, length)
      text += String.fromCharCode(byte)
    }
    return text
  }
  private longText(at: number, length: number): string {
    if (this.textBytes > this.quickTextBytesMax) this.tooMany(`more than ${this.quickTextBytesMax} bytes of text`)
    try {
      return decoder.decode(this.slice(at, length))
    } catch {
      return this.fail("text is not valid UTF-8", at)
    }
  }

  /** A view over the next `length` bytes: valid as long as the frame is, and never to be written to. */
  raw(length: number): Uint8Array {
    return this.slice(this.take(length), length)
  }
  private slice(at: number, length: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + at, length)
  }
}
