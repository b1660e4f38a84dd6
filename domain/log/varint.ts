/**
 * Zigzag variable-length integers, as records are made of: seven bits a byte, the lowest first. Sizes and writes of
 * int32 and of safe integers.
 */

export const varintSize = (value: number): number => {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let size = 1
  while (rest > 0x7f) {
    rest >>>= 7
    size++
  }
  return size
}

/** Writes an int32 and answers where the next byte goes. */
export const writeVarint = (bytes: Uint8Array, at: number, value: number): number => {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let next = at
  while (rest > 0x7f) {
    bytes[next++] = rest | 0x80
    rest >>>= 7
  }
  bytes[next++] = rest
  return next
}

const isInt32 = (value: number): boolean => (value | 0) === value

// Zigzag doubles a value, and a doubled safe integer need not be safe. So the sign is taken apart and put into the
// first byte's lowest bit; what remains is halved, never doubled.
const magnitude = (value: number): number => (value < 0 ? -value - 1 : value)

export const varlongSize = (value: number): number => {
  if (isInt32(value)) return varintSize(value)
  let rest = Math.floor(magnitude(value) / 64)
  let size = 1
  while (rest > 0) {
    rest = Math.floor(rest / 128)
    size++
  }
  return size
}

/** Writes a safe integer as a varlong and answers where the next byte goes. */
export const writeVarlong = (bytes: Uint8Array, at: number, value: number): number => {
  if (isInt32(value)) return writeVarint(bytes, at, value)
  const size = magnitude(value)
  let rest = Math.floor(size / 64)
  let next = at
  bytes[next++] = ((size % 64) << 1) | (value < 0 ? 1 : 0) | (rest > 0 ? 0x80 : 0)
  while (rest > 0) {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes[next++] = low | (rest > 0 ? 0x80 : 0)
  }
  return next
}

/**
 * Reads on through bytes that may end anywhere: once a number is wrong `failed` says so, and every further read
 * answers 0.
 */
export class VarReader {
  failed = false

  constructor(
    readonly bytes: Uint8Array,
    public at: number = 0,
    /** No read goes beyond it. The caller that sets it has compared it with the end of the bytes. */
    public end: number = bytes.length
  ) {}

  get left(): number {
    return this.end - this.at
  }

  private fail(): 0 {
    this.failed = true
    return 0
  }

  byte(): number {
    return this.at < this.end ? (this.bytes[this.at++] as number) : this.fail()
  }

  /** An int32 of at most five bytes. */
  varint(): number {
    const { at } = this
    // Most are one byte: 2 ns instead of 6.
    if (at < this.end) {
      const byte = this.bytes[at] as number
      if (byte < 0x80) {
        this.at = at + 1
        return (byte >>> 1) ^ -(byte & 1)
      }
    }
    return this.longVarint()
  }

  private longVarint(): number {
    let raw = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.at >= this.end) return this.fail()
      const byte = this.bytes[this.at++] as number
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
    return this.fail()
  }

  /** A safe integer out of at most ten bytes; one that is none is rounded, and `Number.isSafeInteger` tells. */
  varlong(): number {
    if (this.at >= this.end) return this.fail()
    const first = this.bytes[this.at++] as number
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let size = (first & 0x7f) >>> 1
    for (let scale = 64, byte = first, read = 1; byte > 0x7f; scale *= 128, read++) {
      if (this.at >= this.end || read === 10) return this.fail()
      byte = this.bytes[this.at++] as number
      size += (byte & 0x7f) * scale
    }
    return first & 1 ? -size - 1 : size
  }

  /** Continues behind the next `size` bytes. */
  skip(size: number): void {
    if (size > this.end - this.at) this.failed = true
    else this.at += size
  }

  /** The next `size` bytes as a view. */
  view(size: number): Uint8Array {
    if (size > this.left) {
      this.fail()
      return this.bytes.subarray(this.end, this.end)
    }
    this.at += size
    return this.bytes.subarray(this.at - size, this.at)
  }
}
