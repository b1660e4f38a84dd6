/**
 * Decompression of raw snappy (format_description.txt) in TypeScript. snappyjs does not detect a block that holds fewer
 * bytes than it announces (decision 52).
 */

/**
 * Returns the decompressed size that a raw block announces, and where its body begins; undefined when the size is 2^32
 * or more, or larger than a body of that length can hold.
 */
export const announcedSize = (bytes: Uint8Array, at: number, end: number): { readonly size: number; readonly bodyAt: number } | undefined => {
  let size = 0
  for (let i = at, scale = 1; i < end && i < at + 5; i++, scale *= 128) {
    const byte = bytes[i] as number
    size += (byte & 0x7f) * scale
    if (byte < 0x80) {
      const bodyAt = i + 1
      // The densest element is a copy of 64 bytes in three bytes.
      return size <= 0xffff_ffff && size <= (end - bodyAt) * 22 ? { size, bodyAt } : undefined
    }
  }
  return undefined
}

const lengthOf = (bytes: Uint8Array, at: number, width: number): number => {
  let length = 0
  for (let i = 0; i < width; i++) length += (bytes[at + i] as number) * 2 ** (8 * i)
  return length
}

/**
 * Decompresses the body from `at` to `end` into `to`, from `toAt` to exactly `toEnd`. Returns false when it is damaged;
 * it writes nothing outside of that range.
 */
export const decompressBody = (from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number, toEnd: number): boolean => {
  let i = at
  let next = toAt
  while (i < end) {
    const tag = from[i++] as number
    const kind = tag & 3
    if (kind === 0) {
      const width = Math.max(0, (tag >>> 2) - 59)
      if (width > end - i) return false
      const size = width === 0 ? (tag >>> 2) + 1 : lengthOf(from, i, width) + 1
      i += width
      if (size > end - i || size > toEnd - next) return false
      if (size > 32) to.set(from.subarray(i, i + size), next)
      else for (let k = 0; k < size; k++) to[next + k] = from[i + k] as number
      i += size
      next += size
      continue
    }
    const width = kind === 3 ? 4 : kind
    if (width > end - i) return false
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const offset = kind === 1 ? ((tag >>> 5) << 8) + (from[i] as number) : lengthOf(from, i, width)
    i += width
    if (offset === 0 || offset > next - toAt || size > toEnd - next) return false
    for (let k = 0; k < size; k++) to[next + k] = to[next - offset + k] as number
    next += size
  }
  return next === toEnd
}
