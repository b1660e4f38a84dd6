import process from "node:process"
import { Either } from "effect"
import { CompressionFault } from "../../src/ports/compression.ts"
import { zstdFrames } from "./zstd-frame.ts"

/**
 * gzip and zstd by node:zlib, which Bun, Deno and Node all have. Decompression stops at the bound, chunk by chunk, so
 * that a bomb takes no memory.
 */

type Zlib = typeof import("node:zlib")
let loaded: Zlib | undefined
/** node:zlib loads all of node:stream, some 7 ms: a node that decompresses no batch does not load it. */
const zlib = (): Zlib => (loaded ??= process.getBuiltinModule("node:zlib"))

/** Node.js before 22.15 has no zstd. */
export const hasZstd = (): boolean => typeof zlib().zstdDecompressSync === "function"
export const withoutZstd = "this runtime has no zstd (Node.js 22.15 or later, Bun and Deno have it)"

export const compressGzip = (bytes: Uint8Array, level?: number): Uint8Array => zlib().gzipSync(bytes, level === undefined ? {} : { level })
export const compressZstd = (bytes: Uint8Array, level?: number): Uint8Array =>
  zlib().zstdCompressSync(bytes, level === undefined ? {} : { params: { [zlib().constants.ZSTD_c_compressionLevel]: level } })

type Inflate = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array

const outputLengthMax = 0xffff_ffff

// node:zlib throws for damaged data. It does not take a bound of 0, so one byte is asked for and counted.
const inflate = (codec: "gzip" | "zstd", unpack: Inflate, bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> => {
  const tooLarge = () => new CompressionFault({ codec, kind: "tooLarge", reason: `The data holds more than ${maxBytes} bytes.` })
  try {
    const unpacked = unpack(bytes, { maxOutputLength: Math.min(Math.max(maxBytes, 1), outputLengthMax) })
    return unpacked.length <= maxBytes ? Either.right(unpacked) : Either.left(tooLarge())
  } catch (cause) {
    const { code, message } = cause as { readonly code?: string; readonly message?: string }
    return Either.left(
      code === "ERR_BUFFER_TOO_LARGE" ? tooLarge() : new CompressionFault({ codec, kind: "corrupt", reason: message ?? "The data is damaged." })
    )
  }
}

export const decompressGzip = (bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> =>
  inflate("gzip", zlib().gunzipSync, bytes, maxBytes)

/** Deflate expands a byte to 1032 bytes at most (a match of 258 bytes in two bits). */
const deflateRatioMax = 1032

/** Returns an upper bound of the decompressed size; 0 where no gzip stream starts. */
export const gzipBound = (bytes: Uint8Array): number => (bytes[0] === 0x1f && bytes[1] === 0x8b ? bytes.length * deflateRatioMax : 0)
/** Returns an upper bound of the decompressed size; 0 where the bytes are not whole frames. */
export const zstdBound = (bytes: Uint8Array): number => zstdFrames(bytes)?.bound ?? 0

export const decompressZstd = (bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> => {
  if (!hasZstd()) return Either.left(new CompressionFault({ codec: "zstd", kind: "corrupt", reason: `${withoutZstd}.` }))
  const found = zstdFrames(bytes)
  if (found === undefined) return Either.left(new CompressionFault({ codec: "zstd", kind: "corrupt", reason: "The data is no whole zstd frame." }))
  const { frames } = found
  const [only] = frames
  if (only !== undefined && frames.length === 1) return inflate("zstd", zlib().zstdDecompressSync, only, maxBytes)
  let left = maxBytes
  const parts: Array<Uint8Array> = []
  for (const frame of frames) {
    const part = inflate("zstd", zlib().zstdDecompressSync, frame, left)
    if (Either.isLeft(part)) return part
    parts.push(part.right)
    left -= part.right.length
  }
  const whole = new Uint8Array(maxBytes - left)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return Either.right(whole)
}
