/**
 * Zstandard frames (RFC 8878) walked from block to block without opening one. The runtimes' own decoder answers a cut frame with what it has of it, and
 * Bun and Deno disagree about two frames in a row; so we look where frames end before it is asked.
 */

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50

const readUint32Le = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0

/** Bytes of the frame header after the magic, by its descriptor: window, dictionary id and content size are there or not. */
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
  /** No more than this many bytes come out of the frame. */
  readonly bound: number
}

/** Where the frame that starts at `at` ends, and what it holds at most; undefined when it is cut, or no frame. What the frame says of its size is not believed. */
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

/** Kafka's producers write one frame; appended streams are a few. A batch of thousands of empty frames is no batch. */
const framesMax = 1024

export interface ZstdFrames {
  /** As views, without those that are there to be skipped. */
  readonly frames: ReadonlyArray<Uint8Array>
  /** No more than this many bytes come out of all of them. */
  readonly bound: number
}

/** The frames in `bytes`. Undefined when the bytes are anything else than whole frames, or more than 1024 of them. */
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
