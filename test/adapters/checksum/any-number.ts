/**
 * Calls every way of the checksum with numbers as the engine may represent them, often enough that the engine compiles the calls. Prints one line of JSON: calls made, wrong
 * results, ranges that were not refused. Runs in a separate process, since a native function that reads a wrong number may crash it.
 */
import { Effect } from "effect"
import { layer, layerTypescript } from "../../../adapters/checksum/checksum.ts"
import { compiled } from "../../../adapters/checksum/compiled.ts"
import { type Crc32c, crc32c } from "../../../domain/log/crc32c.ts"
import { Checksum } from "../../../src/ports/checksum.ts"

const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) >>> 3)
const rounds = 20_000

/** Ways to make a whole number that the engine may represent as a double. */
const doubles: ReadonlyArray<(value: number) => number> = [
  (value) => (value * 3) / 3,
  (value) => value + 0.5 - 0.5,
  (value) => (new Float64Array(1).fill(value)[0] as number) * 1,
  (value) => Math.round(value + 0.25),
  (value) => Math.floor(Math.sqrt(value * value)),
  (value) => Number(BigInt(value)),
  (value) => Math.max(value, -0.5),
  (value) => value * 4 * 0.25
]
const wrong: ReadonlyArray<readonly [number, number]> = [
  [-1, 100],
  [0.5, 100],
  [0, 100.25],
  [5, 4],
  [0, 5001],
  [-2_147_483_648, 2_147_483_647],
  [4_294_967_296, 4_294_967_396],
  [0, Number.MAX_SAFE_INTEGER],
  [-Number.MAX_VALUE, 10],
  [Number.NaN, 10],
  [0, Number.NaN],
  [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  [1e-9, 600]
]
/** Arguments that no type allows and a caller in JavaScript may still pass. */
const noBytes = [undefined, null, 5, 1e300, {}, { length: 5000, ptr: 64 }, "x".repeat(5000)] as unknown as ReadonlyArray<Uint8Array>

const isRefused = (call: () => number, type: abstract new (...words: never) => Error): boolean => {
  try {
    call()
    return false
  } catch (error) {
    return error instanceof type
  }
}

const count = { calls: 0, wrong: 0, taken: 0 }
const attack = (way: Crc32c): void => {
  for (let round = 0; round < rounds; round++) {
    const at = round % 40
    const end = at + ((round * 31) % 4900)
    const make = doubles[round % doubles.length] as (value: number) => number
    count.calls++
    if (way(bytes, make(at), make(end)) !== crc32c(bytes, at, end)) count.wrong++
    if (way(bytes, -0, make(end)) !== crc32c(bytes, 0, end)) count.wrong++
    const [from, to] = wrong[round % wrong.length] as readonly [number, number]
    if (!isRefused(() => way(bytes, from, to), RangeError)) count.taken++
  }
  for (const each of noBytes) if (!isRefused(() => way(each, 0, 1000), TypeError)) count.taken++
  // A detached buffer has a length of 0.
  const gone = new Uint8Array(5000)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  if (!isRefused(() => way(gone, 0, 1000), RangeError) || way(gone) !== 0) count.taken++
}

const port = await Effect.runPromise(Effect.all([Effect.provide(Checksum, layer), Effect.provide(Checksum, layerTypescript)]))
for (const way of [...(process.arch === "x64" ? [compiled()] : []), ...port.map((each) => each.crc32c)]) attack(way)
console.log(JSON.stringify(count))
