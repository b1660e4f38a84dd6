import { Either } from "effect"
import { CompressionFault } from "../../src/ports/compression.ts"
import { blockBound, compressBlock, corrupt, decompressBlock, noRoom } from "./lz4-block.ts"
import { xxhash32 } from "./xxhash32.ts"

/**
 * LZ4 frames (lz4_Frame_format.md) in Kafka's form (KIP-57): independent blocks of 64 KiB, and no checksum but the
 * header's. Any frame without a dictionary is read.
 */

const magic = 0x184d2204
const flag = { version: 0xc0, version1: 0x40, independent: 0x20, blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 } as const
const storedBit = 0x8000_0000
const blockSize = 65_536
const headerSize = 7

const readUint32Le = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0

const writeUint32Le = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

const fault = (reason: string) => Either.left(new CompressionFault({ codec: "lz4", kind: "corrupt", reason }))
const tooLarge = (maxBytes: number) =>
  Either.left(new CompressionFault({ codec: "lz4", kind: "tooLarge", reason: `The frame holds more than ${maxBytes} bytes.` }))

/** Returns one frame of `bytes`. */
export const compressFrame = (bytes: Uint8Array): Uint8Array => {
  const blocks = Math.ceil(bytes.length / blockSize)
  const to = new Uint8Array(headerSize + blocks * (4 + blockBound(blockSize)) + 4)
  writeUint32Le(to, 0, magic)
  to[4] = flag.version1 | flag.independent
  // 4 means 64 KiB.
  to[5] = 4 << 4
  to[6] = xxhash32(to, 4, 6) >>> 8
  let next = headerSize
  for (let at = 0; at < bytes.length; at += blockSize) {
    const end = Math.min(at + blockSize, bytes.length)
    const packed = compressBlock(bytes, at, end, to, next + 4) - next - 4
    if (packed < end - at) writeUint32Le(to, next, packed)
    else {
      writeUint32Le(to, next, (end - at) | storedBit)
      to.set(bytes.subarray(at, end), next + 4)
    }
    next += 4 + Math.min(packed, end - at)
  }
  writeUint32Le(to, next, 0)
  return to.subarray(0, next + 4)
}

/** A frame whose structure has been checked: every block is within the bytes. */
interface Frame {
  /** The position of the first block's size, and of the frame's end. */
  readonly blocksAt: number
  readonly end: number
  readonly flags: number
  /** An upper bound of the decompressed size, from the sizes of the blocks alone. */
  readonly unpackedBound: number
}

interface Header {
  readonly blocksAt: number
  readonly flags: number
  readonly blockSizeMax: number
}

const readHeader = (bytes: Uint8Array): Either.Either<Header, CompressionFault> => {
  if (bytes.length < headerSize || readUint32Le(bytes, 0) !== magic) return fault("No LZ4 frame starts here.")
  const flags = bytes[4] as number
  const sizeId = ((bytes[5] as number) >>> 4) & 7
  const checkedEnd = 6 + (flags & flag.contentSize ? 8 : 0)
  if ((flags & flag.version) !== flag.version1 || (flags & flag.dictionary) !== 0 || sizeId < 4)
    return fault("The LZ4 frame is of a kind that Kafka does not have.")
  if (bytes.length <= checkedEnd || bytes[checkedEnd] !== ((xxhash32(bytes, 4, checkedEnd) >>> 8) & 0xff))
    return fault("The LZ4 frame's header fails its checksum.")
  return Either.right({ blocksAt: checkedEnd + 1, flags, blockSizeMax: 1 << (8 + 2 * sizeId) })
}

/**
 * Whether a frame starts at 0 whose blocks may refer to the block before. Kafka's Java client refuses such a frame by
 * this flag, even where no block does.
 */
export const hasLinkedBlocks = (bytes: Uint8Array): boolean =>
  Either.match(readHeader(bytes), { onLeft: () => false, onRight: ({ flags }) => (flags & flag.independent) === 0 })

/** Checks a frame block by block without decompressing. Bytes after the frame are ignored, as in Kafka. */
export const walkFrame = (bytes: Uint8Array): Either.Either<Frame, CompressionFault> => {
  const header = readHeader(bytes)
  if (Either.isLeft(header)) return Either.left(header.left)
  const { blocksAt, blockSizeMax, flags } = header.right
  const tail = flags & flag.blockChecksum ? 4 : 0
  let unpackedBound = 0
  for (let at = blocksAt; at + 4 <= bytes.length; ) {
    const mark = readUint32Le(bytes, at)
    if (mark === 0) {
      const end = at + 4 + (flags & flag.contentChecksum ? 4 : 0)
      return end <= bytes.length ? Either.right({ blocksAt, end, flags, unpackedBound }) : fault("The LZ4 frame is cut.")
    }
    const stored = mark >= storedBit
    const size = stored ? mark - storedBit : mark
    if (size > blockSizeMax) return fault("An LZ4 block is larger than its frame allows.")
    // One byte of a length adds at most 255 bytes.
    unpackedBound += stored ? size : Math.min(blockSizeMax, size * 255)
    at += 4 + size + tail
  }
  return fault("The LZ4 frame is cut.")
}

/** Decompresses a checked frame to at most `maxBytes`. */
export const decompressFrame = (bytes: Uint8Array, frame: Frame, maxBytes: number): Either.Either<Uint8Array, CompressionFault> => {
  const { blocksAt, end, flags, unpackedBound } = frame
  const to = new Uint8Array(Math.min(unpackedBound, maxBytes))
  let next = 0
  let at = blocksAt
  for (let mark = readUint32Le(bytes, at); mark !== 0; mark = readUint32Le(bytes, at)) {
    const stored = mark >= storedBit
    const from = at + 4
    const until = from + (stored ? mark - storedBit : mark)
    at = until
    if (flags & flag.blockChecksum) {
      if (xxhash32(bytes, from, until) !== readUint32Le(bytes, until)) return fault("An LZ4 block fails its checksum.")
      at += 4
    }
    if (stored) {
      if (until - from > to.length - next) return tooLarge(maxBytes)
      to.set(bytes.subarray(from, until), next)
      next += until - from
    } else {
      const reached = decompressBlock(bytes, from, until, to, next, to.length, flags & flag.independent ? next : 0)
      if (reached === noRoom && to.length === maxBytes) return tooLarge(maxBytes)
      if (reached === corrupt || reached === noRoom) return fault("An LZ4 block is damaged.")
      next = reached
    }
  }
  const unpacked = to.subarray(0, next)
  if (flags & flag.contentChecksum && xxhash32(unpacked) !== readUint32Le(bytes, end - 4)) return fault("The LZ4 frame's content fails its checksum.")
  return Either.right(unpacked)
}
