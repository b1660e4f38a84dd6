import { Clock, Effect } from "effect"

/**
 * Returns milliseconds of a clock that never jumps, for deadlines and durations. The time of day jumps when an operator
 * or NTP sets it.
 */
export const monotonicMs = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

export const monotonicNow: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))
