/** Fetches that wait for a partition. Each is a callback, since a fiber for a long poll costs more than the rest of its request. */
export class WakeList {
  private readonly waiting = new Set<() => void>()

  get size(): number {
    return this.waiting.size
  }

  /** Calls `wake` at every `wakeAll` until the returned function is called. */
  add(wake: () => void): () => void {
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }

  wakeAll(): void {
    for (const each of this.waiting) each()
  }
}
