/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of a record batch, in plain TypeScript: slicing by eight,
 * about 1 GB/s. The table of step k advances a byte by k further zero bytes, so that eight bytes are folded in one
 * round of eight look-ups.
 */
const polynomial = 0x82f63b78

const table = (previous: Int32Array | undefined): Int32Array => {
  const first = previous === undefined
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = first ? byte : (previous[byte] as number)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    return crc
  })
}

const t0 = table(undefined)
const t1 = table(t0)
const t2 = table(t1)
const t3 = table(t2)
const t4 = table(t3)
const t5 = table(t4)
const t6 = table(t5)
const t7 = table(t6)

/**
 * The CRC-32C of what `before` is the CRC-32C of, with `bytes` from `at` (included) to `end` (left out) after it; 0 is
 * the one of nothing. As an unsigned 32-bit number. A range that reaches over the end of `bytes` is a bug of the
 * caller.
 */
export const extendCrc32c = (before: number, bytes: Uint8Array, at: number = 0, end: number = bytes.length): number => {
  let crc = ~before
  let i = at
  // The look-ups cannot miss: every index is a byte. `as number` is for the compiler and costs nothing.
  for (const last = end - 8; i <= last; i += 8) {
    const low = crc ^ ((bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24))
    crc =
      (t7[low & 0xff] as number) ^
      (t6[(low >>> 8) & 0xff] as number) ^
      (t5[(low >>> 16) & 0xff] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[bytes[i + 4] as number] as number) ^
      (t2[bytes[i + 5] as number] as number) ^
      (t1[bytes[i + 6] as number] as number) ^
      (t0[bytes[i + 7] as number] as number)
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[i] as number)) & 0xff] as number)
  return ~crc >>> 0
}

/** The CRC-32C of `bytes` from `at` (included) to `end` (left out), as an unsigned 32-bit number. */
export const crc32c = (bytes: Uint8Array, at: number = 0, end: number = bytes.length): number => extendCrc32c(0, bytes, at, end)

/**
 * Which single bit of a message was turned over, when its CRC-32C was `before` and is `after` now: the byte, counted
 * from the end of the message (0 is its last), and the bit as a mask. Undefined where no single bit of the last
 * `length` bytes explains it. A CRC is linear: what a flip adds to it depends on its place alone, so every place is
 * tried.
 */
export const flippedBit = (before: number, after: number, length: number): { readonly fromEnd: number; readonly mask: number } | undefined => {
  const difference = (before ^ after) | 0
  if (difference === 0) return undefined
  const added = Int32Array.from({ length: 8 }, (_, bit) => t0[1 << bit] as number)
  for (let fromEnd = 0; fromEnd < length; fromEnd++)
    for (let bit = 0; bit < 8; bit++) {
      const one = added[bit] as number
      if (one === difference) return { fromEnd, mask: 1 << bit }
      added[bit] = (one >>> 8) ^ (t0[one & 0xff] as number)
    }
  return undefined
}

/** A CRC-32C over a range of bytes: this one, or a native one with the same answers. */
export type Crc32c = typeof crc32c
