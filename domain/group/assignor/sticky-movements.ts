/**
 * Which partitions moved between which members while a general assignment was balanced. Before a partition of a topic
 * moves from A to B, one of that topic that has moved from B to A is returned instead: fewer partitions move for the
 * same balance (KIP-54).
 */
export class Movements {
  readonly #pairs = new Map<number, { readonly from: number; readonly to: number }>()
  /** Moved partitions by topic and pair. */
  readonly #byPair = new Map<string, Set<number>>()

  constructor(private readonly topicOf: Int32Array) {}

  #key(ordinal: number, from: number, to: number): string {
    return `${this.topicOf[ordinal]}:${from}:${to}`
  }

  /** Notes that the partition moves. One that returns to its first owner has not moved. */
  move(ordinal: number, from: number, to: number): void {
    const before = this.#pairs.get(ordinal)
    if (before !== undefined) {
      this.#pairs.delete(ordinal)
      this.#byPair.get(this.#key(ordinal, before.from, before.to))?.delete(ordinal)
      if (before.from === to) return
    }
    const pair = { from: before?.from ?? from, to }
    this.#pairs.set(ordinal, pair)
    const key = this.#key(ordinal, pair.from, pair.to)
    const moved = this.#byPair.get(key)
    if (moved === undefined) this.#byPair.set(key, new Set([ordinal]))
    else moved.add(ordinal)
  }

  /** The partition to move instead, so that `to` gets back one that it had. */
  better(ordinal: number, from: number, to: number): number {
    const source = this.#pairs.get(ordinal)?.from ?? from
    let best: number | undefined
    for (const moved of this.#byPair.get(this.#key(ordinal, to, source)) ?? []) if (best === undefined || moved < best) best = moved
    return best ?? ordinal
  }
}
