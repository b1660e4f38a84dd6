import { type Context, Either, Layer } from "effect"
import snappyjs from "snappyjs"
import type { Codec } from "../../domain/log/codec.ts"
import { Compression, type CompressionFault } from "../../src/ports/compression.ts"
import { compressFrame, decompressFrame, hasLinkedBlocks, walkFrame } from "./lz4-frame.ts"
import { type NativeLz4, nativeLz4, nativeSnappy } from "./native.ts"
import { compressSnappy, decompressSnappy, type RawSnappy, snappyBound } from "./snappy-frame.ts"
import { compressGzip, compressZstd, decompressGzip, decompressZstd, gzipBound, zstdBound } from "./zlib.ts"

const snappyInTypescript: RawSnappy = { compress: (bytes) => snappyjs.compress(bytes) as Uint8Array, decompress: undefined }

/**
 * Frames of at least this many bytes are decompressed in TypeScript. The addon allocates its output outside of the
 * heap, which the collector's threads free: JSON of 110 KB takes 287 µs of processor time by the addon and 177 in
 * TypeScript, 32 KB 75 and 36, but 24 KB (7 KB compressed) 13 and 30, 1 KiB 2.5 and 5.5.
 */
const nativeBelowBytes = 8192

/**
 * Uses the addon for small frames whose content is sure to fit; TypeScript, which stops at the bound, for others, and
 * after an error of the addon, to name the fault.
 */
const decompressLz4 = (native: NativeLz4 | undefined, bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> =>
  Either.flatMap(walkFrame(bytes), (frame) => {
    if (native === undefined || frame.end >= nativeBelowBytes || frame.unpackedBound > maxBytes) return decompressFrame(bytes, frame, maxBytes)
    try {
      return Either.right(native.decompress(bytes.subarray(0, frame.end)))
    } catch {
      return decompressFrame(bytes, frame, maxBytes)
    }
  })

const sizeBound = (codec: Codec, bytes: Uint8Array): number => {
  switch (codec) {
    case "none":
      return bytes.length
    case "gzip":
      return gzipBound(bytes)
    case "snappy":
      return snappyBound(bytes)
    case "lz4":
      return Either.match(walkFrame(bytes), { onLeft: () => 0, onRight: ({ unpackedBound }) => unpackedBound })
    case "zstd":
      return zstdBound(bytes)
  }
}

const frameRefusal = (codec: Codec, bytes: Uint8Array): string | undefined =>
  codec === "lz4" && hasLinkedBlocks(bytes)
    ? "The blocks of its LZ4 frame are linked, which Kafka's Java client does not read: write independent blocks (block_linked=False in Python's lz4.frame)."
    : undefined

type Find<A> = () => A | undefined

const make = (lz4: Find<NativeLz4>, native: Find<RawSnappy>): Context.Tag.Service<Compression> => {
  const snappy = () => native() ?? snappyInTypescript
  return {
    get names() {
      return { snappy: native() === undefined ? "typescript" : "native", lz4: lz4() === undefined ? "typescript" : "native" } as const
    },
    compress: (codec, bytes, level) => {
      switch (codec) {
        case "none":
          return bytes
        case "gzip":
          return compressGzip(bytes, level)
        case "snappy":
          return compressSnappy(snappy(), bytes)
        case "lz4":
          return lz4()?.compress(bytes) ?? compressFrame(bytes)
        case "zstd":
          return compressZstd(bytes, level)
      }
    },
    sizeBound,
    frameRefusal,
    decompress: (codec, bytes, maxBytes) => {
      switch (codec) {
        case "none":
          return Either.right(bytes)
        case "gzip":
          return decompressGzip(bytes, maxBytes)
        case "snappy":
          return decompressSnappy(snappy(), bytes, maxBytes)
        case "lz4":
          return decompressLz4(lz4(), bytes, maxBytes)
        case "zstd":
          return decompressZstd(bytes, maxBytes)
      }
    }
  }
}

/**
 * Snappy and LZ4 by their addons where these load and pass a self-test, in TypeScript elsewhere; gzip and zstd by
 * node:zlib.
 */
export const layer: Layer.Layer<Compression> = Layer.sync(Compression, () => make(nativeLz4, nativeSnappy(snappyInTypescript)))
/** The same without addons. */
export const layerTypescript: Layer.Layer<Compression> = Layer.succeed(
  Compression,
  make(
    () => undefined,
    () => undefined
  )
)
