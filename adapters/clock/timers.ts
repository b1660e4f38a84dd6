/** A task and its time, ms. */
interface Timer {
  readonly at: number
  readonly task: () => void
}

/** Timers by their time; of two with the same time, the one that was set first comes first. */
export class Timers {
  private readonly list: Array<Timer> = []

  get count(): number {
    return this.list.length
  }
  /** The time of the first timer; undefined where there is none. */
  get next(): number | undefined {
    return this.list[0]?.at
  }
  /** Returns how to cancel the timer. */
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
  /** Removes and returns the first task, if it is due at `now`. */
  takeDue(now: number): (() => void) | undefined {
    const first = this.list[0]
    if (first === undefined || first.at > now) return undefined
    this.list.shift()
    return first.task
  }
}
