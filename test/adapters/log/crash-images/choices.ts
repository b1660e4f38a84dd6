import type { Chance } from "../../../simulation/chance.ts"

/** Chooses one of the `count` states that a part of an image may have; the first is the oldest state, the last the newest. */
export interface Choices {
  readonly of: (count: number) => number
}

/** Enumerates every combination of choices: a later choice depends on the earlier ones. */
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

  /** Advances to the next combination; returns false when there is none. */
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

/** Random choices. Each image prefers old or new states: even odds would make nearly every image half durable, and none nearly whole or nearly empty. */
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
