import { Effect, Random } from "effect"

/**
 * Random numbers for code that runs without an Effect: a generator that is seeded once from Effect's Random, so that a
 * seeded run repeats itself. Not for secrets.
 */
export interface SyncRandom {
  /** From 0 up to, but not including, 1. */
  readonly next: () => number
  /** A whole number from 0 up to, but not including, `bound`. */
  readonly below: (bound: number) => number
  /** `length` hexadecimal digits. */
  readonly hex: (length: number) => string
}

/** mulberry32: 32 bits of state, enough to spread load and to make names unique. */
export const syncRandomFrom = (seed: number): SyncRandom => {
  let state = seed | 0
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const below = (bound: number) => Math.floor(next() * bound)
  const hex = (length: number) => {
    let text = ""
    while (text.length < length) text += below(16).toString(16)
    return text
  }
  return { next, below, hex }
}

export const makeSyncRandom: Effect.Effect<SyncRandom> = Effect.map(Random.nextIntBetween(0, 0x7fff_ffff), syncRandomFrom)
