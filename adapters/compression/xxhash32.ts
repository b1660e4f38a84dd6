/**
 * xxHash32, the checksum in LZ4 frames. TypeScript suffices: headers are a few bytes, and Kafka's producers write no
 * content checksums (decision 52).
 */

const prime1 = 0x9e3779b1
const prime2 = 0x85ebca77
const prime3 = 0xc2b2ae3d
const prime4 = 0x27d4eb2f
const prime5 = 0x165667b1

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by))
const round = (lane: number, word: number): number => Math.imul(rotate((lane + Math.imul(word, prime2)) | 0, 13), prime1)

const readUint32Le = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)

/** Returns the hash of `bytes` from `at` to `end` with seed 0, unsigned. */
export const xxhash32 = (bytes: Uint8Array, at: number = 0, end: number = bytes.length): number => {
  let i = at
  let hash: number
  if (end - at >= 16) {
    let a = (prime1 + prime2) | 0
    let b = prime2 | 0
    let c = 0
    let d = -prime1 | 0
    for (; i <= end - 16; i += 16) {
      a = round(a, readUint32Le(bytes, i))
      b = round(b, readUint32Le(bytes, i + 4))
      c = round(c, readUint32Le(bytes, i + 8))
      d = round(d, readUint32Le(bytes, i + 12))
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  } else hash = prime5
  hash = (hash + (end - at)) | 0
  for (; i <= end - 4; i += 4) hash = Math.imul(rotate((hash + Math.imul(readUint32Le(bytes, i), prime3)) | 0, 17), prime4)
  for (; i < end; i++) hash = Math.imul(rotate((hash + Math.imul(bytes[i] as number, prime5)) | 0, 11), prime1)
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}
