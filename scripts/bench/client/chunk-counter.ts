/**
 * Counts the messages of a consumer by chunks. The first chunk marks the start and is not part of the rate, since connecting and joining is no part of it; but it is part of
 * what has come, so that a client that receives all messages ends.
 */
export class ChunkCounter {
  /** Messages behind the first chunk. */
  counted = 0
  private received = 0
  private startedAt = 0
  private endedAt = 0

  /** `messages`: how many come in all. */
  constructor(private readonly messages: number) {}

  get isEmpty(): boolean {
    return this.received === 0
  }
  /** Adds a chunk that came at `now`, ms. Returns whether all messages have come. */
  add(count: number, now: number): boolean {
    if (this.isEmpty) this.startedAt = now
    else this.counted += count
    this.received += count
    this.endedAt = now
    return this.received >= this.messages
  }
  /** The seconds from the first chunk to the last one, or to `now`, ms, where messages are missing. */
  seconds(now: number): number {
    return ((this.received >= this.messages ? this.endedAt : now) - this.startedAt) / 1000
  }
}
