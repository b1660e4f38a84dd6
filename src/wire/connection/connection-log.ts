import { type Clock, Effect, Runtime } from "effect"
import { RateLimitedLog } from "../../ports/rate-limited-log.ts"
import type { RequestCounts } from "../metrics/request-counts.ts"

/** Kinds of lines are a few fixed words. The log has at most five lines of each kind in ten seconds. */
const limits = { intervalMs: 10_000, linesPerKeyMax: 5, keysMax: 32 }

/** The log of connections that the server closed and of requests that it refused. A flood of them is a few lines and a count. */
export class ConnectionLog {
  private readonly lines = new RateLimitedLog(limits)

  constructor(
    private readonly runtime: Runtime.Runtime<never>,
    private readonly clock: Clock.Clock,
    private readonly counts: Pick<RequestCounts, "closed">
  ) {}

  /** The server closes a connection. `kind` is one of a few fixed words, `message` follows the peer's address. */
  closed(kind: string, peer: string, message: string): void {
    this.counts.closed(kind)
    this.admit(kind, `closed the connection of ${peer}: it ${message}`)
  }
  /** The server refuses a request; its connection stays open. */
  forbidden(actor: string, message: string): void {
    this.admit("forbidden", `refused a request of ${actor}: it ${message}`)
  }
  /** A handler failed because of a bug in this program: every such line is logged. */
  defect(peer: string, message: string, cause: unknown): void {
    Runtime.runFork(this.runtime)(Effect.logError(`closed the connection of ${peer}: ${message}`, cause))
  }
  /** Called about once a second: writes the counts of intervals that are over. */
  turn(): void {
    this.write(this.lines.summaries(this.now))
  }

  private get now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }
  private admit(kind: string, line: string): void {
    this.write(this.lines.admit(kind, line, this.now))
  }
  private write(lines: ReadonlyArray<string>): void {
    for (const line of lines) Runtime.runFork(this.runtime)(Effect.logWarning(line))
  }
}
