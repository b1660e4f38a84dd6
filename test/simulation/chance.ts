/** Chance from a seed: 32 bits of state (mulberry32), enough to choose faults by. The same seed gives the same choices, in the order in which they are asked for. */
export class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  /** 0 up to and without 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
  /** A whole number from 0 up to, and without, `bound`; 0 where that is 0. */
  readonly below = (bound: number): number => Math.floor(this.next() * bound)
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }
  isTrue(probability: number): boolean {
    return this.next() < probability
  }
  pick<A>(from: readonly [A, ...ReadonlyArray<A>] | ReadonlyArray<A>): A {
    return from[this.below(from.length)] as A
  }
  /** Another source of chance, so that what one part of a run draws does not shift what another draws. */
  fork(): Chance {
    return new Chance(this.below(0x7fff_ffff))
  }
}
