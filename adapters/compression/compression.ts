import { type Context, Either, Layer } from "effect"
import snappyjs from "snappyjs"
import type { Codec } from "../../domain/log/codec.ts"
import { Compression, type CompressionFault } from "../../src/ports/compression.ts"
import { compressFrame, decompressFrame, walkFrame } from "./lz4-frame.ts"
import { type NativeLz4, nativeLz4, nativeSnappy } from "./native.ts"
import { compressSnappy, decompressSnappy, type RawSnappy, snappyBound } from "./snappy-frame.ts"
import { compressGzip, compressZstd, decompressGzip, decompressZstd, gzipBound, zstdBound } from "./zlib.ts"

const snappyInTypescript: RawSnappy = { compress: (bytes) => snappyjs.compress(bytes), decompress: undefined }

/** The addon where its result is sure to fit; our own reader, which stops at the bound, where it is not, and where the addon finds fault, to say which. */
const decompressLz4 = (native: NativeLz4 | undefined, bytes: Uint8Array, maxBytes: number): Either.Either<Uint8Array, CompressionFault> =>
  Either.flatMap(walkFrame(bytes), (frame) => {
    if (native === undefined || frame.unpackedBound > maxBytes) return decompressFrame(bytes, frame, maxBytes)
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

type Found<A> = () => A | undefined

const make = (lz4: Found<NativeLz4>, native: Found<RawSnappy>): Context.Tag.Service<Compression> => {
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

/** snappy and lz4 by their addons where these load and pass a self-test, in TypeScript elsewhere; gzip and zstd by node:zlib. */
export const layer: Layer.Layer<Compression> = Layer.sync(Compression, () => make(nativeLz4, nativeSnappy(snappyInTypescript)))
/** Without addons. */
export const layerTypescript: Layer.Layer<Compression> = Layer.succeed(
  Compression,
  make(
    () => undefined,
    () => undefined
  )
)
