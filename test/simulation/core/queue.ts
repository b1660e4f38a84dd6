interface Entry {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

const isBefore = (one: Entry, other: Entry): boolean => one.at < other.at || (one.at === other.at && one.order < other.order)

/** What will happen, by time: a binary heap. Actions of the same time run in the order in which they were added. */
export class EventQueue {
  private readonly heap: Array<Entry> = []
  private added = 0
  /** ms since the run began. */
  now = 0
  ran = 0

  /** `run` is called in `ms` milliseconds. */
  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run)
  }

  at(time: number, run: () => void): void {
    const { heap } = this
    const entry = { at: time < this.now ? this.now : time, order: this.added++, run }
    let index = heap.length
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above] as Entry
      if (!isBefore(entry, parent)) break
      heap[index] = parent
      index = above
    }
    heap[index] = entry
  }

  /** Runs what is due up to and at `time`, for as long as `mayRun` says. */
  runUntil(time: number, mayRun: () => boolean): void {
    while (mayRun()) {
      const first = this.heap[0]
      if (first === undefined || first.at > time) break
      this.removeFirst()
      this.now = first.at
      this.ran++
      first.run()
    }
    if (mayRun()) this.now = time
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop() as Entry
    const { length } = heap
    if (length === 0) return
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= length) break
      if (below + 1 < length && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) below++
      const child = heap[below] as Entry
      if (!isBefore(child, last)) break
      heap[index] = child
      index = below
    }
    heap[index] = last
  }
}
