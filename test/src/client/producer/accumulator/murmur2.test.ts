import { describe, expect, test } from "bun:test"
import { murmur2, partitionOfKey } from "../../../../../src/client/producer/accumulator/murmur2.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

// The values of Kafka's own UtilsTest.testMurmur2.
const known: ReadonlyArray<readonly [key: string, hash: number]> = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107]
]

describe("the hash of keys", () => {
  test.each(known)("%s is Java's", (key, hash) => {
    expect(murmur2(bytes(key))).toBe(hash)
  })
  test("the partition is Java's: the hash without its sign, modulo the partitions", () => {
    for (const [key, hash] of known)
      for (const partitions of [1, 2, 3, 7, 64, 1000]) expect(partitionOfKey(bytes(key), partitions)).toBe((hash & 0x7fffffff) % partitions)
  })
  test("an empty key has a place too", () => {
    expect(partitionOfKey(new Uint8Array(), 6)).toBeWithin(0, 6)
  })
})
