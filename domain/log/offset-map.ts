import type { Offset } from "../kernel/id.ts"
import { type HashSeed, halfSipHash } from "./key-hash.ts"

/** Bytes of a slot: 16 of the key's hash and 8 of its offset, as in Kafka. */
export const slotBytes = 24
const wordsPerSlot = 6
const doublesPerSlot = 3

/**
 * The latest offset of each key, in memory that is taken once and never grows: it knows a key by a hash of 128 bits, so
 * a key may have any size. Two keys that share a hash would be one; with a seed that no client knows that does not happen.
 */
export class OffsetMap {
  /** Keys that it holds. */
  size = 0
  /** Keys that it holds at most: more would make every look-up long. */
  readonly keysMax: number
  private readonly slots: number
  private readonly words: Int32Array
  /** The same memory: an offset, plus one, is in the last eight bytes of a slot; 0 marks a free one. */
  private readonly offsets: Float64Array
  private readonly hash = new Int32Array(4)

  /**
   * `bytesMax` is Kafka's `log.cleaner.dedupe.buffer.size`, `loadFactor` its `log.cleaner.io.buffer.load.factor` (over
   * 0, up to 1). At least one key fits.
   */
  constructor(
    bytesMax: number,
    loadFactor: number,
    private readonly seed: HashSeed
  ) {
    this.slots = Math.max(2, Math.floor(bytesMax / slotBytes))
    // One slot at least stays free: a look-up ends there.
    this.keysMax = Math.max(1, Math.min(this.slots - 1, Math.floor(this.slots * loadFactor)))
    const memory = new ArrayBuffer(this.slots * slotBytes)
    this.words = new Int32Array(memory)
    this.offsets = new Float64Array(memory)
  }

  get isFull(): boolean {
    return this.size >= this.keysMax
  }

  /** Notes that `key` is at `offset`, in place of an earlier offset. The caller looks at `isFull` first. */
  put(key: Uint8Array, offset: Offset): void {
    const slot = this.slotOf(key)
    const known = this.offsets[slot * doublesPerSlot + 2] as number
    if (known === 0) {
      this.size++
      this.words.set(this.hash, slot * wordsPerSlot)
    }
    if (offset + 1 > known) this.offsets[slot * doublesPerSlot + 2] = offset + 1
  }

  /** The latest offset of `key`; -1 for one that it does not hold. */
  get(key: Uint8Array): Offset {
    return (this.offsets[this.slotOf(key) * doublesPerSlot + 2] as number) - 1
  }

  /** The slot that holds the key, or the free one where it belongs. */
  private slotOf(key: Uint8Array): number {
    const { hash, seed, slots, words } = this
    halfSipHash(key, seed[0], seed[1], hash, 0)
    halfSipHash(key, seed[2], seed[3], hash, 2)
    for (let slot = ((hash[0] as number) >>> 0) % slots; ; slot = slot + 1 === slots ? 0 : slot + 1) {
      if (this.offsets[slot * doublesPerSlot + 2] === 0) return slot
      const at = slot * wordsPerSlot
      if (words[at] === hash[0] && words[at + 1] === hash[1] && words[at + 2] === hash[2] && words[at + 3] === hash[3]) return slot
    }
  }
}

/** Bytes that a map needs for `keys` keys, at most `bytesMax`. */
export const mapBytes = (keys: number, loadFactor: number, bytesMax: number): number =>
  Math.min(bytesMax, Math.max(2, Math.ceil((keys + 1) / loadFactor)) * slotBytes)
