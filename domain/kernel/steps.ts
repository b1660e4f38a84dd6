/** Work that says by `yield` where it may pause: about every 0.1 ms, never later than after a millisecond. */
export type Steps<A> = Generator<void, A>

/** Elements of average cost, about a µs, between two pauses. */
export const elementsPerStep = 128

/** Counts what loops within loops do, and says when they should pause. */
export class Stride {
  private left: number
  constructor(private readonly size = elementsPerStep) {
    this.left = size
  }
  /** Counts work as of `cost` elements; answers whether a pause is due. */
  takes(cost = 1): boolean {
    this.left -= cost
    if (this.left > 0) return false
    this.left = this.size
    return true
  }
}
