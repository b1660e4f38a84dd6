/**
 * Zstandard frames (RFC 8878), checked block by block without decompressing. The runtimes' decoders return the
 * beginning of a truncated frame without an error, and Bun and Deno disagree about two consecutive frames; so the ends
 * of frames are found before the decoder is called.
 */

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50

const readUint32Le = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0

/**
 * Returns the bytes of the frame header after the magic: the descriptor says whether window, dictionary id and content
 * size are present.
 */
const frameHeaderSize = (descriptor: number): number => {
  const singleSegment = (descriptor & 0x20) !== 0
  const contentSizeId = descriptor >>> 6
  const contentSize = contentSizeId === 0 ? (singleSegment ? 1 : 0) : 1 << contentSizeId
  const dictionaryId = [0, 1, 2, 4][descriptor & 3] as number
  return 1 + (singleSegment ? 0 : 1) + dictionaryId + contentSize
}

const blockKind = { stored: 0, repeated: 1, reserved: 3 } as const
/** A compressed block decompresses to this much at most. */
const blockBytesMax = 128 * 1024

interface Extent {
  readonly end: number
  /** An upper bound of the decompressed size. */
  readonly bound: number
}

/**
 * Returns where the frame that starts at `at` ends, and a bound of its decompressed size; undefined when it is
 * truncated or not a frame. The content size in its header is ignored.
 */
const frameExtent = (bytes: Uint8Array, at: number): Extent | undefined => {
  if (at + 5 > bytes.length || readUint32Le(bytes, at) !== frameMagic) return undefined
  const descriptor = bytes[at + 4] as number
  let next = at + 4 + frameHeaderSize(descriptor)
  let bound = 0
  for (let last = false; !last; ) {
    if (next + 3 > bytes.length) return undefined
    const header = (bytes[next] as number) | ((bytes[next + 1] as number) << 8) | ((bytes[next + 2] as number) << 16)
    const kind = (header >>> 1) & 3
    if (kind === blockKind.reserved) return undefined
    last = (header & 1) === 1
    bound += kind === blockKind.stored || kind === blockKind.repeated ? header >>> 3 : blockBytesMax
    next += 3 + (kind === blockKind.repeated ? 1 : header >>> 3)
  }
  const end = next + (descriptor & 4 ? 4 : 0)
  return end <= bytes.length ? { end, bound } : undefined
}

/** Frames of one batch. Kafka's producers write one; concatenated streams have a few. */
const framesMax = 1024

interface ZstdFrames {
  /** Views of the frames, without skippable frames. */
  readonly frames: ReadonlyArray<Uint8Array>
  /** An upper bound of the decompressed size of all frames. */
  readonly bound: number
}

/** Returns the frames in `bytes`; undefined when the bytes are not whole frames, or more than 1,024. */
export const zstdFrames = (bytes: Uint8Array): ZstdFrames | undefined => {
  const frames: Array<Uint8Array> = []
  let bound = 0
  for (let at = 0; at < bytes.length; ) {
    const skippable = at + 8 <= bytes.length && (readUint32Le(bytes, at) & 0xffff_fff0) >>> 0 === skippableMagic
    const extent = skippable ? { end: at + 8 + readUint32Le(bytes, at + 4), bound: 0 } : frameExtent(bytes, at)
    if (extent === undefined || extent.end > bytes.length || frames.length === framesMax) return undefined
    if (!skippable) frames.push(bytes.subarray(at, extent.end))
    bound += extent.bound
    at = extent.end
  }
  return frames.length > 0 ? { frames, bound } : undefined
}
