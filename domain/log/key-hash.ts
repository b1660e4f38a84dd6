/**
 * Four words of 32 bits that no client can foresee: with them a hash cannot be steered by who writes the keys. Chance
 * arrives as data.
 */
export type HashSeed = readonly [number, number, number, number]

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

/** The next four bytes, the lowest first; bytes behind the end read as zeros. */
const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)

/**
 * HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein; the words are 32 bits wide, as JavaScript has them).
 * Writes the two words of the hash of `bytes` to `into` at `slot` and the one after it.
 */
export const halfSipHash = (bytes: Uint8Array, key0: number, key1: number, into: Int32Array, slot: number): void => {
  let v0 = key0
  let v1 = key1 ^ 0xee
  let v2 = 0x6c796765 ^ key0
  let v3 = 0x74656462 ^ key1
  const { length } = bytes
  const words = length >>> 2
  // Two rounds for each word and for the last one, which holds the length; four after it, and four more for the second
  // half of the output.
  const steps = words + 1 + 2 + 2
  for (let step = 0; step < steps; step++) {
    let word = 0
    if (step < words) word = wordAt(bytes, step * 4)
    else if (step === words) word = (length << 24) | wordAt(bytes, words * 4)
    else if (step === words + 1) v2 ^= 0xee
    else if (step === words + 3) {
      into[slot] = v1 ^ v3
      v1 ^= 0xdd
    }
    v3 ^= word
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0
      v1 = rotated(v1, 5) ^ v0
      v0 = rotated(v0, 16)
      v2 = (v2 + v3) | 0
      v3 = rotated(v3, 8) ^ v2
      v0 = (v0 + v3) | 0
      v3 = rotated(v3, 7) ^ v0
      v2 = (v2 + v1) | 0
      v1 = rotated(v1, 13) ^ v2
      v2 = rotated(v2, 16)
    }
    v0 ^= word
  }
  into[slot + 1] = v1 ^ v3
}
