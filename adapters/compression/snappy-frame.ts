import { Either } from "effect"
import { CompressionFault } from "../../src/ports/compression.ts"
import { announcedSize, decompressBody } from "./snappy-block.ts"

/**
 * Snappy as Kafka's clients write it. The Java client frames it as xerial's snappy-java does: a magic of eight bytes, two versions, then blocks of
 * raw snappy with their lengths (int32, big-endian) before them. librdkafka writes one raw block. Both are read; the frame is written.
 */

/** Raw snappy, native or not. */
export interface RawSnappy {
  readonly compress: (bytes: Uint8Array) => Uint8Array
  /** Unpacks one block that announces `size` bytes; undefined when it is damaged or when our own reader is the better way. */
  readonly decompress: ((block: Uint8Array) => Uint8Array) | undefined
}

const magic = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0)
const headerSize = 16
/** As snappy-java cuts its input. */
const blockSize = 32_768

const fault = (kind: CompressionFault["kind"], reason: string) => Either.left(new CompressionFault({ codec: "snappy", kind, reason }))

const readInt32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)

const writeInt32 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export const compressSnappy = (raw: RawSnappy, bytes: Uint8Array): Uint8Array => {
  const blocks: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length; at += blockSize) blocks.push(raw.compress(bytes.subarray(at, at + blockSize)))
  const to = new Uint8Array(blocks.reduce((sum, block) => sum + 4 + block.length, headerSize))
  to.set(magic)
  // Version 1, readable by version 1.
  writeInt32(to, 8, 1)
  writeInt32(to, 12, 1)
  let next = headerSize
  for (const block of blocks) {
    writeInt32(to, next, block.length)
    to.set(block, next + 4)
    next += 4 + block.length
  }
  return to
}

/** What is done with each block: it starts at `at`, its body at `bodyAt`, and it announces `size` bytes. False stops the walk. */
type Visit = (at: number, bodyAt: number, end: number, size: number) => boolean

/** Walks the blocks of a frame, or the one raw block. False when their lengths do not fit the bytes, or a visit said no. Nothing is kept: a frame can have a block for every six bytes. */
const walkBlocks = (bytes: Uint8Array, visit: Visit): boolean => {
  const framed = bytes.length >= headerSize && magic.every((byte, i) => bytes[i] === byte)
  let at = framed ? headerSize : 0
  do {
    const start = framed ? at + 4 : at
    if (framed && at === bytes.length) return true
    if (start > bytes.length) return false
    const length = framed ? readInt32(bytes, at) : bytes.length
    if (length <= 0 || length > bytes.length - start) return false
    const announced = announcedSize(bytes, start, start + length)
    at = start + length
    if (announced === undefined || !visit(start, announced.bodyAt, at, announced.size)) return false
  } while (at < bytes.length)
  return true
}

// An addon says by an exception that a block is damaged; it becomes a value here.
const attempt = (decompress: (block: Uint8Array) => Uint8Array, block: Uint8Array): Uint8Array | undefined => {
  try {
    return decompress(block)
  } catch {
    return undefined
  }
}

const unpack = (raw: RawSnappy, bytes: Uint8Array, to: Uint8Array): boolean => {
  let next = 0
  return walkBlocks(bytes, (at, bodyAt, end, size) => {
    const from = next
    next += size
    // The addon gives nothing as memory that is gone already (Bun calls it detached), which no copy may touch.
    if (raw.decompress === undefined || size === 0) return decompressBody(bytes, bodyAt, end, to, from, next)
    const unpacked = attempt(raw.decompress, bytes.subarray(at, end))
    if (unpacked === undefined || unpacked.length !== size) return false
    to.set(unpacked, from)
    return true
  })
}

/** What all blocks announce together; undefined when their lengths do not fit the bytes. No block can hold less or more than it announces. */
const announcedTotal = (bytes: Uint8Array): number | undefined => {
  let size = 0
  const walked = walkBlocks(bytes, (_at, _bodyAt, _end, announced) => {
    size += announced
    return true
  })
  return walked ? size : undefined
}

/** How many bytes come out of `bytes`, if they are not damaged; 0 where they are no snappy. */
export const snappyBound = (bytes: Uint8Array): number => announcedTotal(bytes) ?? 0

/** Unpacks to at most `maxBytes`: what all blocks announce is summed before any memory is taken. */
export const decompressSnappy = (raw: RawSnappy, bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> => {
  const size = announcedTotal(bytes)
  if (size === undefined) return fault("corrupt", "The lengths in the snappy data do not fit its bytes.")
  if (size > maxBytes) return fault("tooLarge", `The snappy data holds ${size} bytes, more than ${maxBytes}.`)
  const to = new Uint8Array(size)
  return unpack(raw, bytes, to) ? Either.right(to) : fault("corrupt", "A snappy block is damaged.")
}
