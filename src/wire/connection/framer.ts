import type { FrameFault } from "./frame-fault.ts"

/** Memory for a frame that comes in pieces: `growth` times what has come, and at least this much. A client that sends one byte gets no more. */
const assemblyBytesMin = 256

const noBytes = new Uint8Array(0)
/** Less than this is left to the garbage collection. */
const freedBytesMin = 32_768

/** Frees memory that the framer allocated and that nothing refers to. Garbage collection would come too late: the buffers that a frame of 100 MB outgrows are another 100 MB together. */
export const free = ({ buffer, length }: Uint8Array): void => {
  if (length >= freedBytesMin && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/**
 * Splits a stream of chunks into frames: four bytes of length, then that many bytes. A frame within one chunk is a view of the chunk. The framer copies a frame that spans
 * several chunks as they arrive, so that it holds no chunk: it allocates memory for received bytes, never for an announced length.
 */
export class Framer {
  /** The chunks with bytes that are in no frame yet, the oldest first: not empty only while the connection takes no requests. */
  private chunk: Uint8Array | undefined
  private more: Array<Uint8Array> | undefined
  private at = 0
  /** The announced length of the frame that has begun; -1 before it is known. */
  private length = -1
  /** The first `prefixBytes` bytes of a length that comes in pieces. */
  private prefix = 0
  private prefixBytes = 0
  /** The buffer for a frame that spans chunks; empty between such frames. */
  private assembly = noBytes
  private assembled = 0
  private isAssembled = false
  private frames = 0
  private bytes = 0

  constructor(
    private readonly bytesMax: number,
    /** Memory for a frame that comes in pieces, as a multiple of what has come. A larger one copies less often. */
    private readonly growth = 2
  ) {}

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    if (this.chunk === undefined) this.chunk = chunk
    else (this.more ??= []).push(chunk)
    this.bytes += chunk.length
  }
  /** Received bytes that `next` has not returned in a frame yet. */
  get heldBytes(): number {
    return this.bytes
  }
  /** Drops these bytes: there will be no next frame. */
  clear(): void {
    this.chunk = this.more = undefined
    free(this.assembly)
    this.assembly = noBytes
    this.assembled = 0
    this.bytes = 0
  }
  /** Whether the framer refers to chunks of the transport. */
  get holdsChunks(): boolean {
    return this.chunk !== undefined
  }
  /** Whether the last frame has its own memory and is not a view of a chunk. */
  get ownsMemory(): boolean {
    return this.isAssembled
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
      const { chunk } = this
      if (chunk === undefined) return undefined
      if (this.length < 0) {
        const fault = this.readLength(chunk)
        if (fault !== undefined) return fault
      }
      // An empty frame needs no further bytes.
      const frame = this.length < 0 ? undefined : this.take(chunk)
      if (this.at === chunk.length) {
        this.chunk = this.more?.shift()
        if (this.more?.length === 0) this.more = undefined
        this.at = 0
      }
      if (frame !== undefined) return frame
    }
  }

  private readLength(chunk: Uint8Array): FrameFault | undefined {
    const from = this.at
    for (; this.prefixBytes < 4 && this.at < chunk.length; this.prefixBytes++) this.prefix = (this.prefix << 8) | (chunk[this.at++] as number)
    if (this.prefixBytes < 4) return undefined
    const length = this.prefix
    if (length < 0 || length > this.bytesMax) {
      const rest = chunk.subarray(this.at, this.at + 20)
      const head = new Uint8Array(4 + rest.length)
      new DataView(head.buffer).setInt32(0, length)
      head.set(rest, 4)
      this.at = from
      return { length, bytesMax: this.bytesMax, head }
    }
    this.prefixBytes = 0
    this.length = length
    return undefined
  }

  private take(chunk: Uint8Array): Uint8Array | undefined {
    const missing = this.length - this.assembled
    const end = Math.min(chunk.length, this.at + missing)
    const piece = chunk.subarray(this.at, end)
    this.at = end
    this.isAssembled = this.assembled > 0
    if (piece.length === missing && !this.isAssembled) return this.begun(piece)
    this.assemble(piece)
    if (this.assembled < this.length) return undefined
    const frame = this.assembly.subarray(0, this.length)
    this.assembly = noBytes
    this.assembled = 0
    return this.begun(frame)
  }
  private begun(frame: Uint8Array): Uint8Array {
    this.length = -1
    this.frames++
    this.bytes -= 4 + frame.length
    return frame
  }

  private assemble(piece: Uint8Array): void {
    const size = this.assembled + piece.length
    if (size > this.assembly.length) {
      const grown = new Uint8Array(Math.min(this.length, Math.max(assemblyBytesMin, this.growth * size)))
      grown.set(this.assembly.subarray(0, this.assembled))
      free(this.assembly)
      this.assembly = grown
    }
    this.assembly.set(piece, this.assembled)
    this.assembled = size
  }
}

export const isFrame = (found: Uint8Array | FrameFault): found is Uint8Array => found instanceof Uint8Array
