import type { Clock } from "effect"
import { type Groups, sortedGroups } from "../../../domain/group/groups.ts"

const nanosPerMs = 1_000_000n

/**
 * Milliseconds since 1970 that only rise: read once from the wall clock, then counted by the monotonic clock. So no session ends because an operator or NTP sets the clock.
 */
export class SteadyTime {
  private readonly startedNs: bigint
  private startedMs: number

  constructor(private readonly clock: Clock.Clock) {
    this.startedNs = clock.unsafeCurrentTimeNanos()
    this.startedMs = clock.unsafeCurrentTimeMillis()
  }

  readonly now = (): number => this.startedMs + this.elapsed()

  /** Ms since the start, by the monotonic clock alone. */
  readonly elapsed = (): number => Number((this.clock.unsafeCurrentTimeNanos() - this.startedNs) / nanosPerMs)

  /** Continues from `atMs` at least, the latest time in a journal: the groups' time does not stop either when the wall clock was set back between two coordinators. */
  raise(atMs: number): void {
    this.startedMs += Math.max(0, atMs - this.now())
  }
}

/** Returns the latest time that the deadlines of these groups are counted from. */
export const latestTime = (groups: Groups): number => {
  let latest = 0
  for (const { since, answeredAt, wait, pending } of sortedGroups(groups)) {
    latest = Math.max(latest, since, answeredAt, wait?.startedAt ?? 0)
    for (const [, { reservedAt }] of pending) latest = Math.max(latest, reservedAt)
  }
  return latest
}
