import { Duration, Effect } from "effect"
import { BufferFull } from "../../error.ts"

/**
 * Counts the bytes of the messages between `sendMessage` and their delivery reports, as Kafka's buffer.memory.
 * Acquiring is plain code while memory is free: it runs for every message. Callers that find none free wait in their
 * order.
 */
export class BufferMemory {
  private held = 0
  private readonly waiting: Array<{ readonly bytes: number; readonly resume: (effect: Effect.Effect<void>) => void }> = []

  constructor(
    private readonly bytesMax: number,
    private readonly timeoutMs: number
  ) {}

  /**
   * Takes `bytes` if they are free and no caller waits. A message larger than the whole memory is taken when it is
   * alone.
   */
  tryAcquire(bytes: number): boolean {
    if (this.waiting.length > 0 || !this.fits(bytes)) return false
    this.held += bytes
    return true
  }
  private fits(bytes: number): boolean {
    return this.held === 0 || this.held + bytes <= this.bytesMax
  }

  /** Waits for its turn and for free memory; the bytes are taken when it returns. BufferFull after the timeout. */
  acquire(bytes: number): Effect.Effect<void, BufferFull> {
    const wait = Effect.async<void>((resume) => {
      if (this.tryAcquire(bytes)) return resume(Effect.void)
      const entry = { bytes, resume }
      this.waiting.push(entry)
      return Effect.sync(() => {
        const at = this.waiting.indexOf(entry)
        // The entry was served in the same turn in which the caller gave up: its bytes go to the next.
        if (at < 0) this.release(bytes)
        else this.waiting.splice(at, 1)
      })
    })
    return Effect.timeoutFail(Effect.interruptible(wait), {
      duration: Duration.millis(this.timeoutMs),
      onTimeout: () => new BufferFull({ bufferBytesMax: this.bytesMax, waitedMs: this.timeoutMs })
    })
  }

  /** Frees bytes, and serves the callers that wait as far as they fit. */
  release(bytes: number): void {
    this.held -= bytes
    for (let next = this.waiting[0]; next !== undefined && this.fits(next.bytes); next = this.waiting[0]) {
      this.waiting.shift()
      this.held += next.bytes
      next.resume(Effect.void)
    }
  }
}
