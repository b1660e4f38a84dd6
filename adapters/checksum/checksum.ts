import { Effect, Layer } from "effect"
import { type Crc32c, crc32c } from "../../domain/log/crc32c.ts"
import { Checksum } from "../../src/ports/checksum.ts"

// A call into the addon costs about 200 ns, as much as 350 bytes in TypeScript; over a thousand bytes it is five times faster.
const nativeFromBytes = 512

/** The addon's function as ours: small ranges stay in TypeScript. */
const over =
  (native: (bytes: Uint8Array) => number): Crc32c =>
  (bytes, at = 0, end = bytes.length) => {
    if (end - at < nativeFromBytes) return crc32c(bytes, at, end)
    return native(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
  }

/** Whether a candidate says what RFC 3720 and our own code say, in a view that starts and ends inside of its memory too. An addon built for another processor may load and still be wrong. */
export const passesSelfTest = (candidate: Crc32c): boolean => {
  const known = new TextEncoder().encode("123456789")
  const long = Uint8Array.from({ length: 4099 }, (_, i) => (i * 167 + 13) & 0xff)
  return (
    candidate(known) === 0xe3069283 &&
    candidate(new Uint8Array(32)) === 0x8a9136aa &&
    candidate(long) === crc32c(long) &&
    candidate(long, 21) === crc32c(long, 21) &&
    candidate(long.subarray(5, 2000), 1, 1900) === crc32c(long, 6, 1905)
  )
}

const typescript = { crc32c, name: "typescript" } as const

/** The addon when it loads and is right. A compiled program unpacks it to the temporary directory; where that is read-only the import fails, and TypeScript does the work. */
const choose = Effect.tryPromise(() => import("@node-rs/crc32")).pipe(
  Effect.flatMap((addon) =>
    Effect.try(() => {
      const native = over((bytes) => addon.crc32c(bytes))
      return passesSelfTest(native) && addon.crc32c(new TextEncoder().encode("123456789")) === 0xe3069283
        ? ({ crc32c: native, name: "native" } as const)
        : typescript
    })
  ),
  Effect.orElseSucceed(() => typescript)
)

/** The native checksum (5 GB/s) where it loads and passes its self-test, ours (1 GB/s) elsewhere. */
export const layer: Layer.Layer<Checksum> = Layer.effect(Checksum, choose)
/** Ours, whatever else there is. */
export const layerTypescript: Layer.Layer<Checksum> = Layer.succeed(Checksum, typescript)
