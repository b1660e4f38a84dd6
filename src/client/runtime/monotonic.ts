import { Clock, Effect } from "effect"

/** Milliseconds for measuring how long something takes: they never jump, as the time of day may when somebody sets it. */
export const monotonicMs = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

export const monotonicNow: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))
