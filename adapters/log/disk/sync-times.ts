import { counterSample, type MetricSample } from "../../../src/ports/metrics.ts"

/** The syncs of the logs of one store: how many, and how long they took, by the clock of the store (ms). */
export class SyncTimes {
  private count = 0
  private totalMs = 0
  private failed = 0

  /** A round of syncs ended. A clock that was set back counts as no time. */
  add(ms: number, isFailed: boolean): void {
    this.count++
    this.totalMs += Math.max(0, ms)
    if (isFailed) this.failed++
  }

  *samples(directory: string): Generator<MetricSample> {
    const labels = { directory }
    yield counterSample("franz_log_syncs_total", "Syncs of logs: one for all appends that wait at the time.", this.count, labels)
    yield counterSample("franz_log_sync_seconds_total", "Time that the syncs of logs took, seconds.", this.totalMs / 1000, labels)
    yield counterSample("franz_log_sync_failures_total", "Syncs of logs that failed; the log is offline then.", this.failed, labels)
  }
}
