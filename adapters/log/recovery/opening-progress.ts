import { type Clock, Effect } from "effect"

/** How often an opening that takes long is logged, ms. */
const everyNs = 5_000_000_000n
/** After so long without one, the next opening is the first of a new run. */
const gapNs = 2_000_000_000n

/** Bytes to check that take long enough to be named. */
const worthSaying = 107_374_183

const GiB = (bytes: number): string => (bytes / 1_073_741_824).toFixed(1)
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",")

/** What a store that opens many logs, or large ones, has done so far: a line every five seconds, so that the operator who waits for a node knows that it works and how long it will take. */
export class OpeningProgress {
  private opening = 0
  private opened = 0
  private checkedBytes = 0
  private dueBytes = 0
  private saidAt: bigint
  private lastAt: bigint

  constructor(
    private readonly clock: Clock.Clock,
    /** The logs in the store's directories. */
    private readonly total: () => number
  ) {
    this.saidAt = this.lastAt = clock.unsafeCurrentTimeNanos()
  }

  /** The opening of a log begins. */
  begun(): void {
    const now = this.clock.unsafeCurrentTimeNanos()
    if (this.opening++ === 0 && now - this.lastAt > gapNs) {
      this.opened = this.checkedBytes = this.dueBytes = 0
      this.saidAt = now
    }
    this.lastAt = now
  }
  /** It has ended. */
  ended(isOpen: boolean): void {
    this.opening--
    if (isOpen) this.opened++
  }

  /** So many bytes of a log must be read and checked, since it was not closed cleanly. */
  due(bytes: number): void {
    this.dueBytes += bytes
  }
  checked(bytes: number): void {
    this.checkedBytes += bytes
  }

  /** Says where it is, when it is time to. */
  readonly tell: Effect.Effect<void> = Effect.suspend(() => {
    if (this.opening === 0) return Effect.void
    const now = this.clock.unsafeCurrentTimeNanos()
    this.lastAt = now
    if (now - this.saidAt < everyNs) return Effect.void
    this.saidAt = now
    const checking = this.dueBytes < worthSaying ? "" : `, ${GiB(this.checkedBytes)} of ${GiB(this.dueBytes)} GiB checked in those that were not closed cleanly`
    return Effect.logInfo(`recovering: ${grouped(this.opened)} of ${grouped(this.total())} logs are open${checking}`)
  })
}
