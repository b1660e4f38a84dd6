import type { Chance } from "../../../simulation/chance.ts"

/** Where an image is free to be one thing or the other. `count` is how many ways there are; the first is the oldest state, the last the newest. */
export interface Choices {
  readonly of: (count: number) => number
}

/** Every combination of choices, one after the other: what comes next depends on what was chosen before. */
export class EveryChoice implements Choices {
  private readonly taken: Array<number> = []
  private readonly counts: Array<number> = []
  private next = 0

  readonly of = (count: number): number => {
    if (count <= 1) return 0
    const at = this.next++
    this.counts[at] = count
    this.taken[at] ??= 0
    return this.taken[at]
  }

  /** Goes on to the next combination; false when there is none. */
  advance(): boolean {
    for (let at = this.next - 1; at >= 0; at--) {
      const chosen = this.taken[at] as number
      if (chosen + 1 < (this.counts[at] as number)) {
        this.taken[at] = chosen + 1
        this.taken.length = at + 1
        this.next = 0
        return true
      }
    }
    return false
  }
}

/** Choices by chance. Each image leans to the old or to the new: by even odds nearly everything would be half there, and never nearly all or nearly nothing. */
export const someChoices = (chance: Chance): Choices => {
  const newest = chance.pick([0, 0.1, 0.5, 0.9, 1])
  const oldest = chance.isTrue(0.5) ? 1 - newest : (1 - newest) / 2
  return {
    of: (count) => {
      if (count <= 1) return 0
      const draw = chance.next()
      if (draw < newest) return count - 1
      return draw < newest + oldest ? 0 : chance.below(count)
    }
  }
}
export const allOf: Choices = { of: (count) => count - 1 }
