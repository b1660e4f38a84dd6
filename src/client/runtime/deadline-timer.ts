import { type Clock, Effect } from "effect"
import type { BackgroundFibers } from "./background-fibers.ts"
import { monotonicMs } from "./monotonic.ts"
import { reportDefect } from "./supervision.ts"

const never = Number.POSITIVE_INFINITY
/** When the deadlines are looked at again after a defect, ms. */
const defectPauseMs = 1000

/**
 * One timer for many deadlines, nearly all of which are met long before. It depends on no other fiber of the client, so
 * that a deadline holds while those wait, or start again after a defect.
 */
export class DeadlineTimer {
  /** When the timer fires, ms of the monotonic clock. */
  private at = never

  /**
   * `expire` gives up what has passed its deadline, and returns the next deadline; infinite for none. `part` names the
   * owner in the log of a defect.
   */
  constructor(
    private readonly clock: Clock.Clock,
    private readonly fibers: BackgroundFibers["Type"],
    private readonly part: string,
    private readonly expire: (now: number) => number
  ) {}

  /** Fires at `deadline` at the latest, ms of the monotonic clock. Plain code: it runs for every message. */
  watch(deadline: number): void {
    if (deadline >= this.at) return
    this.at = deadline
    const fire = Effect.sync(() => this.fire(deadline))
    const guarded = Effect.catchAllDefect(fire, (defect) => reportDefect(this.part, defect))
    this.fibers.run(Effect.zipRight(Effect.sleep(Math.max(0, deadline - monotonicMs(this.clock))), guarded))
  }

  private fire(deadline: number): void {
    // A timer for an earlier deadline has replaced this one.
    if (this.at !== deadline) return
    this.at = never
    const now = monotonicMs(this.clock)
    let next = now + defectPauseMs
    try {
      next = this.expire(now)
    } finally {
      this.watch(next)
    }
  }
}
