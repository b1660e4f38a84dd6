import { Duration, Effect } from "effect"
import { BufferFull } from "../../error.ts"

/** The bytes that messages may hold between `sendMessage` and their answer. Taking is plain code while there is room; who comes when there is none waits in line. */
export class ByteBudget {
  private held = 0
  private readonly line: Array<{ readonly bytes: number; readonly resume: (effect: Effect.Effect<void>) => void }> = []
  constructor(
    private readonly bytesMax: number,
    private readonly timeoutMs: number
  ) {}

  /** Takes `bytes` if there is room and nobody waits. A message over the whole budget is let in when it is alone. */
  tryTake(bytes: number): boolean {
    if (this.line.length > 0 || (this.held > 0 && this.held + bytes > this.bytesMax)) return false
    this.held += bytes
    return true
  }

  /** Waits for the turn and for room; the bytes are taken when it returns. BufferFull after the timeout. */
  take(bytes: number): Effect.Effect<void, BufferFull> {
    const wait = Effect.async<void>((resume) => {
      if (this.tryTake(bytes)) return resume(Effect.void)
      const entry = { bytes, resume }
      this.line.push(entry)
      return Effect.sync(() => {
        const at = this.line.indexOf(entry)
        // Let in at the same moment as it was given up: what it took goes to the next.
        if (at < 0) this.give(bytes)
        else this.line.splice(at, 1)
      })
    })
    return Effect.timeoutFail(Effect.interruptible(wait), {
      duration: Duration.millis(this.timeoutMs),
      onTimeout: () => new BufferFull({ bufferBytesMax: this.bytesMax, waitedMs: this.timeoutMs })
    })
  }

  give(bytes: number): void {
    this.held -= bytes
    for (let next = this.line[0]; next !== undefined && (this.held === 0 || this.held + next.bytes <= this.bytesMax); next = this.line[0]) {
      this.line.shift()
      this.held += next.bytes
      next.resume(Effect.void)
    }
  }
}
