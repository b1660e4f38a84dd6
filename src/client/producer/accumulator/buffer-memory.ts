/** A caller that waits for free memory. */
interface WaitingCaller {
  readonly bytes: number
  /** Called once, when the bytes are taken. */
  readonly granted: () => void
}

/**
 * Counts the bytes of the messages between `sendMessage` and their delivery reports, as Kafka's buffer.memory. Plain
 * code: it runs for every message. Callers that find no free memory wait in their order.
 */
export class BufferMemory {
  private held = 0
  private readonly waiting: Array<WaitingCaller> = []

  constructor(private readonly bytesMax: number) {}

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

  /**
   * Calls `granted` once, when it is the caller's turn and the bytes are taken. Returns how the caller gives up before
   * that.
   */
  request(bytes: number, granted: () => void): () => void {
    const caller = { bytes, granted }
    this.waiting.push(caller)
    return () => {
      const at = this.waiting.indexOf(caller)
      if (at < 0) return
      this.waiting.splice(at, 1)
      // It may have been the first, behind which a smaller one waits.
      this.serve()
    }
  }

  /** Frees bytes, and serves the callers that wait as far as they fit. */
  release(bytes: number): void {
    this.held -= bytes
    this.serve()
  }
  private serve(): void {
    for (let next = this.waiting[0]; next !== undefined && this.fits(next.bytes); next = this.waiting[0]) {
      this.waiting.shift()
      this.held += next.bytes
      next.granted()
    }
  }
}
