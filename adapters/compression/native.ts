import { Buffer } from "node:buffer"
import { Effect, Either } from "effect"
import { compressFrame, decompressFrame, walkFrame } from "./lz4-frame.ts"
import { compressSnappy, decompressSnappy, type RawSnappy } from "./snappy-frame.ts"

/** LZ4 frames by the addon. It unpacks without a bound, so who calls it has walked the frame first. */
export interface NativeLz4 {
  readonly compress: (bytes: Uint8Array) => Uint8Array
  readonly decompress: (frame: Uint8Array) => Uint8Array
}

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** What is found out when it is first asked for, and then known. */
const once = <A>(find: () => A): (() => A) => {
  let found: { readonly value: A } | undefined
  return () => (found ??= { value: find() }).value
}
const sample = once(() => Uint8Array.from({ length: 150_000 }, (_, i) => (i % 251 < 100 ? i % 7 : Math.imul(i, 2_654_435_761) >>> 24)))
const isSample = (bytes: Uint8Array | undefined): boolean => bytes !== undefined && buffer(bytes).equals(sample())

const readsOurs = (bytes: Uint8Array): Uint8Array | undefined =>
  Either.getOrUndefined(Either.flatMap(walkFrame(bytes), (frame) => decompressFrame(bytes, frame, sample().length)))

const orUndefined = <A>(find: () => A | undefined): (() => A | undefined) => once(() => Either.getOrUndefined(Either.try(find)))
const none = () => undefined

/**
 * The addon when it loads, and reads what our own code writes and the other way round; undefined otherwise (a compiled program on a read-only disk, a processor without a build).
 * The addon is loaded now; the test of it costs some 20 ms, so it waits for the first use: a broker seldom opens a batch.
 */
export const loadLz4: Effect.Effect<() => NativeLz4 | undefined> = Effect.tryPromise(() => import("lz4-napi")).pipe(
  Effect.map((addon) =>
    orUndefined(() => {
      const lz4: NativeLz4 = {
        compress: (bytes) => addon.compressFrameSync(buffer(bytes)),
        decompress: (frame) => addon.decompressFrameSync(buffer(frame))
      }
      return isSample(readsOurs(lz4.compress(sample()))) && isSample(lz4.decompress(compressFrame(sample()))) ? lz4 : undefined
    })
  ),
  Effect.orElseSucceed(() => none)
)

/** Raw snappy by the addon, tested in the same way against `fallback`. */
export const loadSnappy = (fallback: RawSnappy): Effect.Effect<() => RawSnappy | undefined> =>
  Effect.tryPromise(() => import("snappy")).pipe(
    Effect.map((addon) =>
      orUndefined(() => {
        const snappy: RawSnappy = {
          compress: (bytes) => addon.compressSync(bytes),
          decompress: (block) => addon.uncompressSync(block, { asBuffer: true }) as Buffer
        }
        const there = decompressSnappy(fallback, compressSnappy(snappy, sample()), sample().length)
        const back = decompressSnappy(snappy, compressSnappy(fallback, sample()), sample().length)
        return isSample(Either.getOrUndefined(there)) && isSample(Either.getOrUndefined(back)) ? snappy : undefined
      })
    ),
    Effect.orElseSucceed(() => none)
  )
