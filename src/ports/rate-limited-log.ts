import { Clock, Effect, type LogLevel } from "effect"

interface RateLimits {
  /** How long the lines of one key are counted together, ms. Default 60,000. */
  readonly intervalMs?: number
  /** Lines of one key that are written in an interval; the others are suppressed and counted. Default 1. */
  readonly linesPerKeyMax?: number
  /**
   * Keys that have lines of their own in an interval; the lines of further keys are suppressed and counted together.
   * Default 10.
   */
  readonly keysMax?: number
  /** Characters of one line; a longer line is cut. Default 1,000. */
  readonly lineCharsMax?: number
}

/** The lines of one key since the interval began. */
interface Interval {
  readonly sinceMs: number
  lines: number
  suppressed: number
  /** The first line that was suppressed. */
  sample: string
}

/** Characters of a key that tell it from another. */
const keyCharsMax = 200
const none: ReadonlyArray<string> = []
/**
 * The key of all lines whose own key found no place. It cannot be a caller's: those are not longer than keyCharsMax.
 */
const otherKeys = "*".repeat(keyCharsMax + 1)

const cut = (text: string, charsMax: number): string => (text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`)

/**
 * A log for lines that clients, disks or other nodes can cause again and again: the first lines of a key are written at
 * once, the others of the same interval are counted. The count is written with the next line of the key, or by
 * `summaries`. Memory is bounded: at most `keysMax` + 1 keys with one line each.
 */
export class RateLimitedLog {
  private readonly intervals = new Map<string, Interval>()
  private readonly intervalMs: number
  private readonly linesPerKeyMax: number
  private readonly keysMax: number
  private readonly lineCharsMax: number

  constructor({ intervalMs = 60_000, keysMax = 10, lineCharsMax = 1000, linesPerKeyMax = 1 }: RateLimits = {}) {
    this.intervalMs = intervalMs
    this.linesPerKeyMax = linesPerKeyMax
    this.keysMax = keysMax
    this.lineCharsMax = lineCharsMax
  }

  /**
   * Returns the lines to write now: none where `line` is suppressed, else the line itself, after the summaries of
   * intervals that are over. `key` tells one matter from another.
   */
  admit(key: string, line: string, nowMs: number): ReadonlyArray<string> {
    const own = key.length <= keyCharsMax ? key : key.slice(0, keyCharsMax)
    const interval = this.intervals.get(own)
    if (interval !== undefined && !this.isOver(interval, nowMs)) return this.add(interval, line)
    const summaries = this.intervals.size === 0 ? none : this.summaries(nowMs, cut(line, this.lineCharsMax))
    if (this.intervals.size < this.keysMax || (this.intervals.size === this.keysMax && this.intervals.has(otherKeys))) {
      this.intervals.set(own, { sinceMs: nowMs, lines: 1, suppressed: 0, sample: "" })
      return [...summaries, cut(line, this.lineCharsMax)]
    }
    const others = this.intervals.get(otherKeys) ?? { sinceMs: nowMs, lines: this.linesPerKeyMax, suppressed: 0, sample: "" }
    this.intervals.set(otherKeys, others)
    this.add(others, line)
    return summaries
  }

  /**
   * Returns a line for each key whose interval is over and had suppressed lines, and forgets the keys whose intervals
   * are over. `next` is the line that follows them: it is not repeated as a sample.
   */
  summaries(nowMs: number, next?: string): ReadonlyArray<string> {
    const lines: Array<string> = []
    for (const [key, interval] of this.intervals) {
      if (!this.isOver(interval, nowMs)) continue
      this.intervals.delete(key)
      if (interval.suppressed > 0) lines.push(this.summary(key, interval, next))
    }
    return lines
  }

  /** Writes `line` at `level`, or at the debug level where it is suppressed. */
  log(level: LogLevel.LogLevel, key: string, line: string): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const lines = this.admit(key, line, now)
      if (lines.length === 0) return Effect.logDebug(cut(line, this.lineCharsMax))
      return Effect.forEach(lines, (each) => Effect.logWithLevel(level, each), { discard: true })
    })
  }

  /**
   * Writes the summaries at `level`: for a fiber that looks again and again, so that a count does not wait for the next
   * line of its key.
   */
  logSummaries(level: LogLevel.LogLevel): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.forEach(this.summaries(now), (each) => Effect.logWithLevel(level, each), { discard: true }))
  }

  private add(interval: Interval, line: string): ReadonlyArray<string> {
    if (interval.lines < this.linesPerKeyMax) {
      interval.lines++
      return [cut(line, this.lineCharsMax)]
    }
    if (interval.suppressed++ === 0) interval.sample = cut(line, this.lineCharsMax)
    return none
  }

  /** A clock that was set back begins a new interval too. */
  private isOver({ sinceMs }: Interval, nowMs: number): boolean {
    return nowMs - sinceMs >= this.intervalMs || nowMs < sinceMs
  }

  private summary(key: string, { sample, suppressed }: Interval, next: string | undefined): string {
    const lines = suppressed === 1 ? "1 more line" : `${suppressed} more lines`
    return `${lines} ${key === otherKeys ? "about other causes" : "of this kind"} in ${this.intervalMs / 1000} s${sample === next ? "." : `, such as: ${sample}`}`
  }
}
