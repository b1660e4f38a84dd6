/** When a broker was down, and how long the event loop of this process stood still: what a wait is made of besides the client. Times are in ms. */
export class Outages {
  private readonly spans: Array<{ readonly from: number; to: number }> = []
  longestStallMs = 0
  private lookedAt = performance.now()
  private readonly timer = setInterval(() => {
    const now = performance.now()
    this.longestStallMs = Math.max(this.longestStallMs, now - this.lookedAt - lookEveryMs)
    this.lookedAt = now
  }, lookEveryMs)

  /** A broker is down until `work` has ended. */
  async during(work: Promise<void>): Promise<void> {
    const span = { from: performance.now(), to: Number.POSITIVE_INFINITY }
    this.spans.push(span)
    await work
    span.to = performance.now()
  }
  end(): void {
    clearInterval(this.timer)
  }

  /** How much of the time from `from` to `to` no broker was down. */
  upMs(from: number, to: number): number {
    return this.spans.reduce((left, span) => left - Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)), to - from)
  }
  /** The longest time in which a broker was down, and all of them together. */
  get longestDownMs(): number {
    return Math.max(0, ...this.spans.map(({ from, to }) => to - from))
  }
  get totalDownMs(): number {
    return this.spans.reduce((sum, { from, to }) => sum + to - from, 0)
  }
}

const lookEveryMs = 100
