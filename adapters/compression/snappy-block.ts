/** Raw snappy (format_description.txt): reading, in plain TypeScript. snappyjs reads too, but it does not notice when less comes out than was announced. */

/** The size that a raw block says it unpacks to, and where its body starts; undefined when it says none below 2^32, or more than any body of its size can hold. */
export const announcedSize = (bytes: Uint8Array, at: number, end: number): { readonly size: number; readonly bodyAt: number } | undefined => {
  let size = 0
  for (let i = at, scale = 1; i < end && i < at + 5; i++, scale *= 128) {
    const byte = bytes[i] as number
    size += (byte & 0x7f) * scale
    if (byte < 0x80) {
      const bodyAt = i + 1
      // The best that an element does is a copy of 64 bytes out of three.
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

/** Unpacks the body from `at` to `end` into `to`, from `toAt` to exactly `toEnd`. False when it is damaged; nothing is written outside of that room. */
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
