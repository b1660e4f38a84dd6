/** Which of the delivered messages of a partition are processed. A commit never passes a message that is not (G7). */
export class Progress {
  /**
   * Offsets that were delivered and are not known to be processed, in rising order; before `head` all are processed.
   */
  private open: Array<number> = []
  private head = 0
  private readonly acknowledged = new Set<number>()
  /** The offset after the last delivered message. */
  private end: number
  /** The last committed offset; -1: this reader has committed none. */
  committed = -1

  constructor(startAt: number) {
    this.end = startAt
  }

  delivered(offset: number): void {
    this.open.push(offset)
    this.end = offset + 1
  }
  /** There is no message before `end` that was not delivered. */
  skipped(end: number): void {
    this.end = end
  }

  /** Every delivered message is processed. */
  processedAll(): void {
    this.open = []
    this.head = 0
    this.acknowledged.clear()
  }
  /** One message is processed. */
  processed(offset: number): void {
    if (this.head >= this.open.length || offset < (this.open[this.head] as number) || offset >= this.end) return
    this.acknowledged.add(offset)
    for (let first = this.open[this.head]; first !== undefined && this.acknowledged.delete(first); first = this.open[this.head]) this.head += 1
    // The processed part is removed when it is the larger one, so that each message is copied once on average.
    if (this.head > 1024 && this.head * 2 > this.open.length) {
      this.open = this.open.slice(this.head)
      this.head = 0
    }
  }

  /** The offset to commit: all messages before it are processed. */
  get toCommit(): number {
    return this.open[this.head] ?? this.end
  }
  /** Whether a delivered message is not known to be processed. */
  get isOutstanding(): boolean {
    return this.head < this.open.length
  }

  restart(offset: number): void {
    this.processedAll()
    this.end = offset
  }
}
