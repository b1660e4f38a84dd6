import { Either } from "effect"
import { CompressionFault } from "../../src/ports/compression.ts"
import { announcedSize, decompressBody } from "./snappy-block.ts"

/**
 * Snappy as Kafka's clients write it. The Java client frames it as xerial's snappy-java does: a magic of eight bytes,
 * two versions, then blocks of raw snappy with their lengths (int32, big-endian) before them. librdkafka writes one raw
 * block. Both are read; the frame is written.
 */

/** Raw snappy, native or not. */
export interface RawSnappy {
  readonly compress: (bytes: Uint8Array) => Uint8Array
  /** Decompresses one block; throws for a damaged one. Undefined where snappy-block.ts is used instead. */
  readonly decompress: ((block: Uint8Array) => Uint8Array) | undefined
}

const magic = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0)
const headerSize = 16
/** Bytes of a block before compression, as snappy-java has it. */
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

/**
 * Called for each block: it begins at `at`, its body at `bodyAt`, and it announces `size` bytes. False stops the walk.
 */
type Visit = (at: number, bodyAt: number, end: number, size: number) => boolean

/**
 * Walks the blocks of a frame, or the one raw block. Returns false when their lengths do not fit the bytes, or `visit`
 * returned false. It collects nothing: a frame can have a block for every six bytes.
 */
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

// The addon throws for a damaged block.
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
    // For an empty block the addon returns detached memory, which cannot be copied.
    if (raw.decompress === undefined || size === 0) return decompressBody(bytes, bodyAt, end, to, from, next)
    const unpacked = attempt(raw.decompress, bytes.subarray(at, end))
    if (unpacked === undefined || unpacked.length !== size) return false
    to.set(unpacked, from)
    return true
  })
}

/**
 * Returns the bytes that all blocks announce; undefined when their lengths do not fit the bytes. A block with more or
 * fewer bytes is damaged.
 */
const announcedTotal = (bytes: Uint8Array): number | undefined => {
  let size = 0
  const walked = walkBlocks(bytes, (_at, _bodyAt, _end, announced) => {
    size += announced
    return true
  })
  return walked ? size : undefined
}

/** Returns the decompressed size of `bytes` that are not damaged; 0 where they are not snappy. */
export const snappyBound = (bytes: Uint8Array): number => announcedTotal(bytes) ?? 0

/** Decompresses to at most `maxBytes`: the announced sizes are summed before memory is allocated. */
export const decompressSnappy = (raw: RawSnappy, bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> => {
  const size = announcedTotal(bytes)
  if (size === undefined) return fault("corrupt", "The lengths in the snappy data do not fit its bytes.")
  if (size > maxBytes) return fault("tooLarge", `The snappy data holds ${size} bytes, more than ${maxBytes}.`)
  const to = new Uint8Array(size)
  return unpack(raw, bytes, to) ? Either.right(to) : fault("corrupt", "A snappy block is damaged.")
}
