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

const sample = Uint8Array.from({ length: 150_000 }, (_, i) => (i % 251 < 100 ? i % 7 : Math.imul(i, 2_654_435_761) >>> 24))
const isSample = (bytes: Uint8Array | undefined): boolean => bytes !== undefined && buffer(bytes).equals(sample)

const readsOurs = (bytes: Uint8Array): Uint8Array | undefined =>
  Either.getOrUndefined(Either.flatMap(walkFrame(bytes), (frame) => decompressFrame(bytes, frame, sample.length)))

/** The addon when it loads, and reads what our own code writes and the other way round; undefined otherwise (a compiled program on a read-only disk, a processor without a build). */
export const loadLz4: Effect.Effect<NativeLz4 | undefined> = Effect.tryPromise(() => import("lz4-napi")).pipe(
  Effect.flatMap((addon) =>
    Effect.try(() => {
      const lz4: NativeLz4 = {
        compress: (bytes) => addon.compressFrameSync(buffer(bytes)),
        decompress: (frame) => addon.decompressFrameSync(buffer(frame))
      }
      return isSample(readsOurs(lz4.compress(sample))) && isSample(lz4.decompress(compressFrame(sample))) ? lz4 : undefined
    })
  ),
  Effect.orElseSucceed(() => undefined)
)

/** Raw snappy by the addon, tested in the same way against `fallback`. */
export const loadSnappy = (fallback: RawSnappy): Effect.Effect<RawSnappy | undefined> =>
  Effect.tryPromise(() => import("snappy")).pipe(
    Effect.flatMap((addon) =>
      Effect.try(() => {
        const snappy: RawSnappy = {
          compress: (bytes) => addon.compressSync(bytes),
          decompress: (block) => addon.uncompressSync(block, { asBuffer: true }) as Buffer
        }
        const there = decompressSnappy(fallback, compressSnappy(snappy, sample), sample.length)
        const back = decompressSnappy(snappy, compressSnappy(fallback, sample), sample.length)
        return isSample(Either.getOrUndefined(there)) && isSample(Either.getOrUndefined(back)) ? snappy : undefined
      })
    ),
    Effect.orElseSucceed(() => undefined)
  )
