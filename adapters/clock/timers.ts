/** Something that is due at a moment, in milliseconds. */
interface Timer {
  readonly at: number
  readonly task: () => void
}

/** Timers in the order in which they are due; of two for the same moment, the one that was set first. */
export class Timers {
  private readonly list: Array<Timer> = []

  get count(): number {
    return this.list.length
  }
  /** When the first one is due; undefined where there is none. */
  get next(): number | undefined {
    return this.list[0]?.at
  }
  /** Answers how to call it off. */
  set(at: number, task: () => void): () => void {
    const timer: Timer = { at, task }
    let low = 0
    let high = this.list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.list[middle] as Timer).at <= at) low = middle + 1
      else high = middle
    }
    this.list.splice(low, 0, timer)
    return () => {
      const index = this.list.indexOf(timer)
      if (index >= 0) this.list.splice(index, 1)
    }
  }
  /** Takes the first one out, if it is due at `now`. */
  takeDue(now: number): (() => void) | undefined {
    const first = this.list[0]
    if (first === undefined || first.at > now) return undefined
    this.list.shift()
    return first.task
  }
}
