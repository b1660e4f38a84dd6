/**
 * LZ4 blocks (lz4_Block_format.md) in TypeScript: for large frames, and where the addon does not load (decision 52).
 */

/** Returns the largest size that `size` bytes can have after compression. */
export const blockBound = (size: number): number => size + Math.floor(size / 255) + 16

const hashBits = 13
// One table for all calls: compression never waits, so two calls never overlap. An entry is the position plus one, 0
// for none.
const table = new Int32Array(1 << hashBits)

const matchSizeMin = 4
/**
 * The format's end rules: the last five bytes are literals, and the last match starts at least twelve bytes before the
 * end.
 */
const lastLiterals = 5
const matchLimit = 12
const offsetMax = 0xffff

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)

const copy = (from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number): number => {
  const size = end - at
  if (size > 32) to.set(from.subarray(at, end), toAt)
  else for (let i = 0; i < size; i++) to[toAt + i] = from[at + i] as number
  return toAt + size
}

/** Writes the part of a length that does not fit its token. */
const writeLength = (to: Uint8Array, at: number, length: number): number => {
  let next = at
  let rest = length
  for (; rest >= 255; rest -= 255) to[next++] = 255
  to[next++] = rest
  return next
}

/** Writes one sequence: literals from `at` to `end`, then a match; the last sequence has none, `matchSize` 0. */
const writeSequence = (from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number, offset: number, matchSize: number): number => {
  const literals = end - at
  const over = matchSize === 0 ? 0 : matchSize - matchSizeMin
  let next = toAt + 1
  to[toAt] = (Math.min(literals, 15) << 4) | Math.min(over, 15)
  if (literals >= 15) next = writeLength(to, next, literals - 15)
  next = copy(from, at, end, to, next)
  if (matchSize === 0) return next
  to[next++] = offset
  to[next++] = offset >>> 8
  return over >= 15 ? writeLength(to, next, over - 15) : next
}

/**
 * Compresses `from` from `at` to `end` into `to` at `toAt`, where `blockBound` bytes must be free. Returns where the
 * block ends. Matches do not reach before `at`.
 */
export const compressBlock = (from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number): number => {
  table.fill(0)
  let next = toAt
  let anchor = at
  let i = at
  let misses = 0
  while (i <= end - matchLimit) {
    const here = word(from, i)
    const slot = Math.imul(here, 0x9e3779b1) >>> (32 - hashBits)
    const candidate = (table[slot] as number) - 1
    table[slot] = i + 1
    if (candidate < at || i - candidate > offsetMax || word(from, candidate) !== here) {
      // Incompressible bytes are passed in growing steps.
      i += 1 + (misses++ >>> 6)
      continue
    }
    misses = 0
    let size = matchSizeMin
    while (i + size < end - lastLiterals && from[candidate + size] === from[i + size]) size++
    next = writeSequence(from, anchor, i, to, next, i - candidate, size)
    i += size
    anchor = i
  }
  return writeSequence(from, anchor, end, to, next, 0, 0)
}

/** What `decompressBlock` returns for a damaged block, and for one whose output does not fit. */
export const corrupt = -1
export const noRoom = -2

/**
 * Decompresses the block from `at` to `end` into `to` at `toAt`, up to `toEnd`. Matches may reach back to `windowAt`
 * (the block's own start, or an earlier one where blocks are linked). Returns where the output ends, `corrupt` or
 * `noRoom`; it writes nothing outside of `toAt` to `toEnd`.
 */
export const decompressBlock = (from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number, toEnd: number, windowAt: number): number => {
  let i = at
  let next = toAt
  while (i < end) {
    const token = from[i++] as number
    let literals = token >>> 4
    if (literals === 15)
      for (let more = 255; more === 255; literals += more) {
        if (i >= end) return corrupt
        more = from[i++] as number
      }
    if (literals > end - i) return corrupt
    if (literals > toEnd - next) return noRoom
    next = copy(from, i, i + literals, to, next)
    i += literals
    // The last sequence has no match.
    if (i === end) return next
    if (i + 2 > end) return corrupt
    const offset = (from[i] as number) | ((from[i + 1] as number) << 8)
    i += 2
    let size = (token & 15) + matchSizeMin
    if (size === 15 + matchSizeMin)
      for (let more = 255; more === 255; size += more) {
        if (i >= end) return corrupt
        more = from[i++] as number
      }
    const match = next - offset
    if (offset === 0 || match < windowAt) return corrupt
    if (size > toEnd - next) return noRoom
    // A match may overlap its own output, and is then copied byte by byte.
    if (offset >= size && size > 32) to.copyWithin(next, match, match + size)
    else for (let k = 0; k < size; k++) to[next + k] = to[match + k] as number
    next += size
  }
  return corrupt
}
