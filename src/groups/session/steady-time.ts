import type { Clock } from "effect"
import { type Groups, sortedGroups } from "../../../domain/group/groups.ts"

const nanosPerMs = 1_000_000n

/**
 * Milliseconds since 1970 that only ever rise: read once from the wall clock, then counted by the monotonic one. So nobody's session ends because a person or NTP sets the
 * clock. `notBefore` is the latest time in the journal: a clock that was set back between two lives of the leader does not stop the groups' time either.
 */
export const steadyTime = (clock: Clock.Clock, notBefore: number): (() => number) => {
  const startedNs = clock.unsafeCurrentTimeNanos()
  const startedMs = Math.max(clock.unsafeCurrentTimeMillis(), notBefore)
  return () => startedMs + Number((clock.unsafeCurrentTimeNanos() - startedNs) / nanosPerMs)
}

/** The latest time that these groups' deadlines are counted from. */
export const latestTime = (groups: Groups): number => {
  let latest = 0
  for (const { since, answeredAt, wait, pending } of sortedGroups(groups)) {
    latest = Math.max(latest, since, answeredAt, wait?.startedAt ?? 0)
    for (const [, { reservedAt }] of pending) latest = Math.max(latest, reservedAt)
  }
  return latest
}
