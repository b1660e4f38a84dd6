import type { Offset } from "../../../../domain/kernel/id.ts"

/**
 * The high watermark of a replica: everything before it is committed, as far as this broker knows. It never passes the
 * end of the log, and goes back only where the log itself is cut.
 */
export class HighWatermark {
  constructor(
    private offset: Offset,
    private readonly end: () => Offset,
    /** Stops the broker, since an assertion failed. Throws. */
    private readonly wrong: (what: string) => never
  ) {}

  readonly get = (): Offset => this.offset

  /** Raises it, for the leader of the partition. Returns whether it has changed. */
  advance(to: Offset): boolean {
    if (to === this.offset) return false
    const end = this.end()
    if (to < this.offset || to > end) this.wrong(`moves its high watermark from ${this.offset} to ${to}, and its log ends at ${end}`)
    this.offset = to
    return true
  }

  /** Raises it to what the leader said, for a follower. Returns whether it has changed. */
  learn(to: Offset): boolean {
    return to > this.offset && this.advance(Math.min(to, this.end()))
  }

  /** The log was cut, or will be cut to `to`. */
  cut(to = this.end()): void {
    this.offset = Math.min(this.offset, to)
  }
}
