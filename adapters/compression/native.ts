import { Buffer } from "node:buffer"
import { createRequire } from "node:module"
import { Either } from "effect"
import { compressFrame, decompressFrame, walkFrame } from "./lz4-frame.ts"
import { compressSnappy, decompressSnappy, type RawSnappy } from "./snappy-frame.ts"

/** LZ4 frames by the addon. It decompresses without a bound, so the caller has checked the frame before. */
export interface NativeLz4 {
  readonly compress: (bytes: Uint8Array) => Uint8Array
  readonly decompress: (frame: Uint8Array) => Uint8Array
}

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Calls `find` once, when its result is first used. */
const once = <A>(find: () => A): (() => A) => {
  let found: { readonly value: A } | undefined
  return () => (found ??= { value: find() }).value
}
const sample = once(() => Uint8Array.from({ length: 150_000 }, (_, i) => (i % 251 < 100 ? i % 7 : Math.imul(i, 2_654_435_761) >>> 24)))
const isSample = (bytes: Uint8Array | undefined): boolean => bytes !== undefined && buffer(bytes).equals(sample())

const readsOurs = (bytes: Uint8Array): Uint8Array | undefined =>
  Either.getOrUndefined(Either.flatMap(walkFrame(bytes), (frame) => decompressFrame(bytes, frame, sample().length)))

/**
 * Returns undefined where `find` throws: a compiled program on a read-only disk, a processor without a build of the
 * addon.
 */
const orUndefined = <A>(find: () => A | undefined): (() => A | undefined) => once(() => Either.getOrUndefined(Either.try(find)))

// Bun's bundler includes an addon in a compiled program where it finds such a call; Deno and Node have no `require` in
// a module.
const requireLz4 = (): typeof import("lz4-napi") => (typeof require === "function" ? require("lz4-napi") : createRequire(import.meta.url)("lz4-napi"))
const requireSnappy = (): typeof import("snappy") => (typeof require === "function" ? require("snappy") : createRequire(import.meta.url)("snappy"))

/**
 * The addon, where it loads and passes its self-test: it reads the output of the TypeScript codec, which reads the
 * addon's. Undefined otherwise. Loading costs some 5 ms and a MiB, the self-test 20 ms: both wait for the first use,
 * since a broker seldom decompresses a batch.
 */
export const nativeLz4: () => NativeLz4 | undefined = orUndefined(() => {
  const addon = requireLz4()
  const lz4: NativeLz4 = {
    compress: (bytes) => addon.compressFrameSync(buffer(bytes)),
    decompress: (frame) => addon.decompressFrameSync(buffer(frame))
  }
  return isSample(readsOurs(lz4.compress(sample()))) && isSample(lz4.decompress(compressFrame(sample()))) ? lz4 : undefined
})

/** Raw snappy by the addon, with the same self-test against `fallback`. */
export const nativeSnappy = (fallback: RawSnappy): (() => RawSnappy | undefined) =>
  orUndefined(() => {
    const addon = requireSnappy()
    const snappy: RawSnappy = {
      compress: (bytes) => addon.compressSync(bytes),
      decompress: (block) => addon.uncompressSync(block, { asBuffer: true }) as Buffer
    }
    const there = decompressSnappy(fallback, compressSnappy(snappy, sample()), sample().length)
    const back = decompressSnappy(snappy, compressSnappy(fallback, sample()), sample().length)
    return isSample(Either.getOrUndefined(there)) && isSample(Either.getOrUndefined(back)) ? snappy : undefined
  })
