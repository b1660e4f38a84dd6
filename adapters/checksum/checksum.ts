import { createRequire } from "node:module"
import { type Context, Layer } from "effect"
import { type Crc32c, crc32c } from "../../domain/log/crc32c.ts"
import { Checksum } from "../../src/ports/checksum.ts"
import { compiled } from "./compiled.ts"
import { checkRange } from "./range.ts"
import { lazyWalk } from "./walk-choice.ts"

// A call into the addon costs about 200 ns, as much as 350 bytes in TypeScript; over a thousand bytes it is five times
// faster.
const nativeFromBytes = 512

/** The addon's function with a range; small ranges are computed in TypeScript. */
const over =
  (native: (bytes: Uint8Array) => number): Crc32c =>
  (bytes, at = 0, end = bytes.length) => {
    if (end - at < nativeFromBytes) return crc32c(bytes, at, end)
    return native(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
  }

/**
 * Whether a candidate returns the values of RFC 3720 and of the TypeScript code, also for a view that is a part of its
 * memory. An addon that was built for another processor may load and return wrong values.
 */
export const passesSelfTest = (candidate: Crc32c): boolean => {
  const known = new TextEncoder().encode("123456789")
  // Long enough for every loop of the native code.
  const long = Uint8Array.from({ length: 30_011 }, (_, i) => (i * 167 + (i >>> 8) * 29 + 13) & 0xff)
  return (
    candidate(known) === 0xe3069283 &&
    candidate(new Uint8Array(32)) === 0x8a9136aa &&
    candidate(long) === crc32c(long) &&
    candidate(long, 21) === crc32c(long, 21) &&
    candidate(long.subarray(5, 2000), 1, 1900) === crc32c(long, 6, 1905)
  )
}

const typescript = {
  crc32c: (bytes, at = 0, end = bytes.length) => {
    checkRange(bytes, at, end)
    return crc32c(bytes, at, end)
  },
  name: "typescript"
} as const satisfies Context.Tag.Service<Checksum>

// Bun's bundler includes an addon in a compiled program where it finds such a call; Deno and Node have no `require` in
// a module.
const load = (): { readonly crc32c: (bytes: Uint8Array) => number } =>
  typeof require === "function" ? require("@node-rs/crc32") : createRequire(import.meta.url)("@node-rs/crc32")

const addon = (): Crc32c => {
  const loaded = load()
  const native = over((bytes) => loaded.crc32c(bytes))
  if (loaded.crc32c(new TextEncoder().encode("123456789")) !== 0xe3069283) throw new Error("wrong")
  return native
}

/**
 * Returns the first native implementation that works and passes the self-test: the one in C, where Bun's compiler
 * works, else the addon. A compiled program needs the temporary directory for both: where that is read-only, TypeScript
 * is used.
 */
const choose = (): Context.Tag.Service<Checksum> => {
  for (const way of [compiled, addon])
    try {
      const native = way()
      if (passesSelfTest(native)) return { crc32c: native, name: "native" }
    } catch {
      // The next candidate is tried.
    }
  return typescript
}

/**
 * Bytes that are computed in TypeScript before a native implementation is chosen: the checkpoints of a start have some
 * 30 KB. At 1 GB/s they take 1 ms.
 */
const nativeAfterBytes = 1_000_000

/**
 * Compiling or loading it, and its self-test, cost some 10 ms, so both wait until there is work for it: a node without
 * producers does without. Exported for tests.
 */
export const lazily = (choose: () => Context.Tag.Service<Checksum>): Context.Tag.Service<Checksum> => {
  let chosen: Context.Tag.Service<Checksum> | undefined
  let bytesBefore = 0
  const choice = () => (chosen ??= choose())
  return {
    crc32c: (bytes, at = 0, end = bytes.length) => {
      checkRange(bytes, at, end)
      if (end - at < nativeFromBytes) return crc32c(bytes, at, end)
      if (chosen !== undefined) return chosen.crc32c(bytes, at, end)
      bytesBefore += end - at
      return bytesBefore <= nativeAfterBytes ? crc32c(bytes, at, end) : choice().crc32c(bytes, at, end)
    },
    walkRecords: lazyWalk(),
    get name() {
      return choice().name
    }
  }
}

/**
 * A native checksum (15 GB/s compiled, 4 GB/s from the addon) where one works and passes its self-test, TypeScript (1
 * GB/s) elsewhere; and the compiled walk over records, where it works.
 */
export const layer: Layer.Layer<Checksum> = Layer.sync(Checksum, () => lazily(choose))
/** The checksum in TypeScript. */
export const layerTypescript: Layer.Layer<Checksum> = Layer.succeed(Checksum, typescript)
