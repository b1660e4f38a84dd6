/**
 * MurmurHash 2, 32 bits, with the seed of Kafka's Java client, which partitions by it. Returns a signed number, as
 * Java's int.
 */
export const murmur2 = (bytes: Uint8Array): number => {
  const length = bytes.length
  const m = 0x5bd1e995
  let h = (0x9747b28c ^ length) | 0
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let k = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length - whole
  if (rest > 2) h ^= (bytes[whole + 2] as number) << 16
  if (rest > 1) h ^= (bytes[whole + 1] as number) << 8
  if (rest > 0) {
    h ^= bytes[whole] as number
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

/** Returns the partition of a key among `partitions`, the same as every Java client. */
export const partitionOfKey = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions
