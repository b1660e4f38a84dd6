/**
 * How far the user is in a partition: which of the messages that were handed out are processed. The commit never passes one that is not (G7).
 */
export class Progress {
  /** Offsets that were handed out and are not known to be processed, rising; before `head` all are. */
  private open: Array<number> = []
  private head = 0
  private readonly acknowledged = new Set<number>()
  /** The offset after the last message that was handed out. */
  private end: number
  /** What was committed last; -1: nothing by this reader. */
  committed = -1

  constructor(startAt: number) {
    this.end = startAt
  }

  handedOut(offset: number): void {
    this.open.push(offset)
    this.end = offset + 1
  }
  /** There was no message up to `end`. */
  skipped(end: number): void {
    this.end = end
  }

  /** Everything that was handed out is processed. */
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
    // The part that is done goes when it is the larger one, so that the cost is spread.
    if (this.head > 1024 && this.head * 2 > this.open.length) {
      this.open = this.open.slice(this.head)
      this.head = 0
    }
  }

  /** The offset to commit: all messages before it are processed. */
  get toCommit(): number {
    return this.open[this.head] ?? this.end
  }
  /** Whether something was handed out that is not known to be processed. */
  get isOutstanding(): boolean {
    return this.head < this.open.length
  }

  restart(offset: number): void {
    this.processedAll()
    this.end = offset
  }
}
