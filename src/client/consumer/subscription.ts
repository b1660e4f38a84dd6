/** What a consumer subscribed to, and where each topic stood at that moment. */
export class Subscription {
  private readonly starts = new Map<string, ReadonlyMap<number, number>>()

  /** In the order of their names. */
  get topics(): ReadonlyArray<string> {
    return [...this.starts.keys()].sort()
  }
  get isEmpty(): boolean {
    return this.starts.size === 0
  }
  has(topic: string): boolean {
    return this.starts.has(topic)
  }
  /** `ends`: the offset after the last message, by partition, when the subscription was made. */
  add(topic: string, ends: ReadonlyMap<number, number>): void {
    this.starts.set(topic, ends)
  }
  remove(topic: string): void {
    this.starts.delete(topic)
  }
  /** Where the subscription begins in a partition; undefined in one that was added later: there with its first message. */
  startOf(topic: string, partition: number): number | undefined {
    return this.starts.get(topic)?.get(partition)
  }
}
