/**
 * Which partitions moved from whom to whom while a general assignment was balanced. Before a partition of a topic moves
 * from A to B, one of that topic that has moved from B to A is sent back instead: fewer partitions change hands for the
 * same balance (KIP-54).
 */
export class Movements {
  readonly #pairs = new Map<number, { readonly from: number; readonly to: number }>()
  /** Moved partitions by topic and pair. */
  readonly #byPair = new Map<string, Set<number>>()

  constructor(private readonly topicOf: Int32Array) {}

  #key(place: number, from: number, to: number): string {
    return `${this.topicOf[place]}:${from}:${to}`
  }

  /** The partition moves; one that comes back to where it was has not moved. */
  move(place: number, from: number, to: number): void {
    const before = this.#pairs.get(place)
    if (before !== undefined) {
      this.#pairs.delete(place)
      this.#byPair.get(this.#key(place, before.from, before.to))?.delete(place)
      if (before.from === to) return
    }
    const pair = { from: before?.from ?? from, to }
    this.#pairs.set(place, pair)
    const key = this.#key(place, pair.from, pair.to)
    const moved = this.#byPair.get(key)
    if (moved === undefined) this.#byPair.set(key, new Set([place]))
    else moved.add(place)
  }

  /** The partition to move instead, so that `to` gets back one that it had. */
  better(place: number, from: number, to: number): number {
    const source = this.#pairs.get(place)?.from ?? from
    let best: number | undefined
    for (const moved of this.#byPair.get(this.#key(place, to, source)) ?? []) if (best === undefined || moved < best) best = moved
    return best ?? place
  }
}
