import { type Clock, Effect } from "effect"

/** What a move copies in one turn of the loop, bytes. */
const sliceBytesMax = 262_144
const sliceBytesMin = 4096
/** How long a change of the bound may go unnoticed, ms. */
const waitMsMax = 1000

/** Keeps the moves of a store in the background: they copy in slices, let the loop turn between them, and are together no faster than they are allowed. */
export class MovePace {
  /** Bytes that were copied and not waited for. */
  private debt = 0
  private paidAt: number | undefined

  constructor(private readonly clock: Clock.Clock) {}

  sliceBytes(bytesPerSecondMax: number): number {
    return Math.min(sliceBytesMax, Math.max(sliceBytesMin, bytesPerSecondMax))
  }

  spend(bytes: number): void {
    this.debt += bytes
  }

  /** At least a turn of the loop's timers: after a yield alone the next slice would be copied before any socket is served. */
  rest(bytesPerSecondMax: () => number): Effect.Effect<void> {
    return Effect.flatMap(
      Effect.suspend(() => Effect.sleep(Math.min(waitMsMax, Math.ceil(this.dueMs(bytesPerSecondMax()))))),
      () => (this.dueMs(bytesPerSecondMax()) > 0 ? this.rest(bytesPerSecondMax) : Effect.void)
    )
  }

  private dueMs(bytesPerSecondMax: number): number {
    const rate = Math.max(1, bytesPerSecondMax) / 1000
    const now = this.clock.unsafeCurrentTimeMillis()
    this.debt = Math.max(0, this.debt - Math.max(0, now - (this.paidAt ?? now)) * rate)
    this.paidAt = now
    return this.debt / rate
  }
}
