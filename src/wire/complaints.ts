import { Effect, Runtime } from "effect"
import type { RequestCounts } from "./metrics/request-counts.ts"

/** Lines of one kind that are written in one window of time; the rest is counted and told at its end. */
const linesMax = 5

/** What connections did wrong, in log lines: few enough that a flood of strangers does not become a flood of lines. */
export class Complaints {
  private readonly said = new Map<string, { lines: number; more: number }>()

  constructor(
    private readonly runtime: Runtime.Runtime<never>,
    private readonly annotations: Readonly<Record<string, unknown>>,
    private readonly counts: Pick<RequestCounts, "closed">
  ) {}

  /** `kind` is one of a few fixed words, `message` goes after the peer's address. */
  say(kind: string, peer: string, message: string): void {
    this.counts.closed(kind)
    this.write(kind, `closed the connection of ${peer}: it ${message}`)
  }
  private write(kind: string, line: string): void {
    const seen = this.said.get(kind) ?? { lines: 0, more: 0 }
    this.said.set(kind, seen)
    if (seen.lines === linesMax) {
      seen.more++
      return
    }
    seen.lines++
    this.log(Effect.logWarning(line))
  }
  /** A request that was refused; its connection stays open. */
  forbidden(actor: string, message: string): void {
    this.write("forbidden", `refused a request of ${actor}: it ${message}`)
  }
  /** A fault of our own: never held back. */
  defect(peer: string, message: string, cause: unknown): void {
    this.log(Effect.logError(`closed the connection of ${peer}: ${message}`, cause))
  }
  /** The window ends. */
  turn(): void {
    for (const [kind, { more }] of this.said) {
      if (more > 0)
        this.log(
          Effect.logWarning(`${kind === "forbidden" ? `refused ${more} more requests` : `closed ${more} more connections`} for the same reason (${kind})`)
        )
    }
    this.said.clear()
  }
  private log(line: Effect.Effect<void>): void {
    Runtime.runFork(this.runtime)(Effect.annotateLogs(line, this.annotations))
  }
}
