/**
 * The fractional parts of the cube roots of the first 64 primes, and of the square roots of the first eight: FIPS
 * 180-4, sections 4.2.2 and 5.3.3.
 */
const primes = ((): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let n = 2; found.length < 64; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
})()
const fraction = (value: number): number => ((value - Math.floor(value)) * 0x1_0000_0000) | 0
const roundConstants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)))
const start = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const blockBytes = 64
const rotated = (value: number, by: number): number => (value >>> by) | (value << (32 - by))

/** The message with a one bit, zeros and its length in bits behind it, in whole blocks. */
const padded = (message: Uint8Array): Uint8Array => {
  const blocks = new Uint8Array(Math.ceil((message.length + 9) / blockBytes) * blockBytes)
  blocks.set(message)
  blocks[message.length] = 0x80
  new DataView(blocks.buffer).setBigUint64(blocks.length - 8, BigInt(message.length) * 8n)
  return blocks
}

const schedule = (words: Int32Array, view: DataView, at: number): void => {
  for (let t = 0; t < 16; t++) words[t] = view.getInt32(at + 4 * t)
  for (let t = 16; t < 64; t++) {
    const [w15, w2] = [words[t - 15] as number, words[t - 2] as number]
    const s0 = rotated(w15, 7) ^ rotated(w15, 18) ^ (w15 >>> 3)
    const s1 = rotated(w2, 17) ^ rotated(w2, 19) ^ (w2 >>> 10)
    words[t] = ((words[t - 16] as number) + s0 + (words[t - 7] as number) + s1) | 0
  }
}

const compress = (state: Int32Array, words: Int32Array): void => {
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
  for (let t = 0; t < 64; t++) {
    const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    const first = (h + s1 + ((e & f) ^ (~e & g)) + (roundConstants[t] as number) + (words[t] as number)) | 0
    const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    ;[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0]
  }
  for (const [at, value] of [a, b, c, d, e, f, g, h].entries()) state[at] = ((state[at] as number) + value) | 0
}

/**
 * Returns the SHA-256 of a short message, 32 bytes (FIPS 180-4). For a few bytes at a time; a native one is much
 * faster.
 */
export const sha256 = (message: Uint8Array): Uint8Array => {
  const blocks = padded(message)
  const view = new DataView(blocks.buffer)
  const state = Int32Array.from(start)
  const words = new Int32Array(64)
  for (let at = 0; at < blocks.length; at += blockBytes) {
    schedule(words, view, at)
    compress(state, words)
  }
  const digest = new Uint8Array(32)
  const out = new DataView(digest.buffer)
  for (const [at, value] of state.entries()) out.setInt32(4 * at, value)
  return digest
}
