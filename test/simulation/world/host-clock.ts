import { Clock, type Duration, Effect } from "effect"
import type { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"

/** The time of one machine. While its processes are stopped, as by SIGSTOP, no timer of theirs fires and nothing is delivered to them. */
export class HostClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly waiting: Array<() => void> = []
  private stopped = false
  readonly currentTimeMillis: Effect.Effect<number>
  readonly currentTimeNanos: Effect.Effect<bigint>

  constructor(private readonly clock: VirtualClock) {
    this.currentTimeMillis = clock.currentTimeMillis
    this.currentTimeNanos = clock.currentTimeNanos
  }

  get isStopped(): boolean {
    return this.stopped
  }
  unsafeCurrentTimeMillis(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }
  unsafeCurrentTimeNanos(): bigint {
    return this.clock.unsafeCurrentTimeNanos()
  }
  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.zipRight(this.clock.sleep(duration), this.running)
  }
  /** Waits until the processes continue. */
  readonly running: Effect.Effect<void> = Effect.async((resume) => this.whenRunning(() => resume(Effect.void)))

  /** Does `task` now, or in its turn when the processes continue. */
  whenRunning(task: () => void): void {
    if (this.stopped) this.waiting.push(task)
    else task()
  }
  stop(): void {
    this.stopped = true
  }
  /** What was due meanwhile happens now, in its order. */
  continue(): void {
    this.stopped = false
    for (const task of this.waiting.splice(0)) task()
  }
}
