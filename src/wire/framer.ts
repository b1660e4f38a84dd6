import type { FrameFault } from "./frame-fault.ts"

/** A piece smaller than this is copied together with its neighbours: a view of 10 bytes costs more than they do, and holds the whole chunk. */
const smallBytesMax = 4096
/** How much memory is taken at once for small pieces: as much as has come already, within these bounds. A stranger that sends a byte gets no more than the least. */
const blockBytesMin = 256
const blockBytesMax = 16_384

/**
 * Finds the frames in a stream of chunks: four bytes of length, then as many bytes. A frame that lies within one chunk is a view of it. One that spans several is put
 * together once, when all of it is there: memory is taken for bytes that came, never for a length that was announced.
 */
export class Framer {
  private readonly chunks: Array<Uint8Array> = []
  private at = 0
  /** The announced length of the frame that has begun; -1 before it is known. */
  private length = -1
  private readonly prefix = new Uint8Array(4)
  private prefixBytes = 0
  private parts: Array<Uint8Array> = []
  private partsBytes = 0
  private block: Uint8Array | undefined
  private blockAt = 0
  private frames = 0
  private bytes = 0

  constructor(private readonly bytesMax: number) {}

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.chunks.push(chunk)
    this.bytes += chunk.length
  }
  /** Bytes that came and were not given out as frames yet. */
  get heldBytes(): number {
    return this.bytes
  }
  /** Lets go of them: there will be no next frame. */
  clear(): void {
    this.chunks.length = 0
    this.parts = []
    this.block = undefined
    this.bytes = 0
  }
  /** Frames found so far: the number of the one that has begun. */
  get count(): number {
    return this.frames
  }
  /** Bytes that the frame which has begun announced; 0 where none has begun, 4 where only a part of the length is there. */
  get announced(): number {
    return this.length >= 0 ? this.length : this.prefixBytes > 0 ? 4 : 0
  }

  /** The next frame without its length; undefined until more bytes come. After a fault the stream has no frames any more. */
  next(): Uint8Array | FrameFault | undefined {
    for (;;) {
      const chunk = this.chunks[0]
      if (chunk === undefined) return undefined
      if (this.length < 0) {
        const fault = this.readLength(chunk)
        if (fault !== undefined) return fault
      }
      // An empty frame needs no further bytes.
      const frame = this.length < 0 ? undefined : this.take(chunk)
      if (this.at === chunk.length) {
        this.chunks.shift()
        this.at = 0
      }
      if (frame !== undefined) return frame
    }
  }

  private readLength(chunk: Uint8Array): FrameFault | undefined {
    const from = this.at
    while (this.prefixBytes < 4 && this.at < chunk.length) this.prefix[this.prefixBytes++] = chunk[this.at++] as number
    if (this.prefixBytes < 4) return undefined
    const [a, b, c, d] = this.prefix as unknown as [number, number, number, number]
    const length = (a << 24) | (b << 16) | (c << 8) | d
    if (length < 0 || length > this.bytesMax) {
      const rest = chunk.subarray(this.at, this.at + 20)
      const head = new Uint8Array(4 + rest.length)
      head.set(this.prefix)
      head.set(rest, 4)
      this.at = from
      return { length, bytesMax: this.bytesMax, head }
    }
    this.prefixBytes = 0
    this.length = length
    return undefined
  }

  private take(chunk: Uint8Array): Uint8Array | undefined {
    const missing = this.length - this.partsBytes
    const end = Math.min(chunk.length, this.at + missing)
    const piece = chunk.subarray(this.at, end)
    this.at = end
    if (piece.length === missing && this.partsBytes === 0) return this.begun(piece)
    this.keep(piece)
    return this.partsBytes === this.length ? this.begun(this.join()) : undefined
  }
  private begun(frame: Uint8Array): Uint8Array {
    this.length = -1
    this.frames++
    this.bytes -= 4 + frame.length
    return frame
  }

  private keep(piece: Uint8Array): void {
    let rest = piece
    while (rest.length > 0 && rest.length < smallBytesMax) {
      if (this.block === undefined) {
        this.block = new Uint8Array(Math.min(this.length - this.partsBytes, Math.max(blockBytesMin, Math.min(this.partsBytes, blockBytesMax))))
        this.blockAt = 0
      }
      const some = rest.subarray(0, this.block.length - this.blockAt)
      this.block.set(some, this.blockAt)
      this.blockAt += some.length
      this.partsBytes += some.length
      rest = rest.subarray(some.length)
      if (this.blockAt === this.block.length) this.closeBlock()
    }
    if (rest.length === 0) return
    this.closeBlock()
    this.parts.push(rest)
    this.partsBytes += rest.length
  }
  private closeBlock(): void {
    if (this.block === undefined) return
    this.parts.push(this.block.subarray(0, this.blockAt))
    this.block = undefined
  }
  private join(): Uint8Array {
    this.closeBlock()
    const only = this.parts.length === 1 ? this.parts[0] : undefined
    const frame = only ?? new Uint8Array(this.length)
    if (only === undefined) {
      let at = 0
      for (const part of this.parts) {
        frame.set(part, at)
        at += part.length
      }
    }
    this.parts = []
    this.partsBytes = 0
    return frame
  }
}

export const isFrame = (found: Uint8Array | FrameFault): found is Uint8Array => found instanceof Uint8Array
