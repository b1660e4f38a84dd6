import { Clock, Effect } from "effect"

/** What is worked on in one turn of the loop: some milliseconds. */
const sliceBytes = 65_536

/** Keeps compaction in the background: it works in slices, lets the loop turn between them, and is no faster than it is allowed. */
export class Pace {
  private spent = 0
  /** Bytes that were looked at in this slice, unpacked. */
  private inSlice = 0
  private beganAt = 0

  constructor(private readonly bytesPerSecondMax: number) {}

  readonly begin: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (now) => void (this.beganAt = now))

  get mayGoOn(): boolean {
    return this.inSlice < sliceBytes
  }
  /** `bytes` were read or written; `unpacked` is what had to be looked at for it. */
  spend(bytes: number, unpacked: number): void {
    this.spent += bytes
    this.inSlice += unpacked
  }

  /** At least a turn of the loop's timers: after a yield alone the work would continue before any socket is served. */
  readonly rest: Effect.Effect<void> = Effect.suspend(() => {
    this.inSlice = 0
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const dueMs = (this.spent / this.bytesPerSecondMax) * 1000 - (now - this.beganAt)
      return Effect.sleep(Math.max(0, dueMs))
    })
  })
}
