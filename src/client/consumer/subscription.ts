/** A topic as it was when the subscription was made. */
interface Start {
  readonly topicId: string
  /** The offset after the last message, by partition. */
  readonly ends: ReadonlyMap<number, number>
}

/** What a consumer subscribed to, and where each topic stood at that moment. */
export class Subscription {
  private readonly starts = new Map<string, Start>()

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
  add(topic: string, start: Start): void {
    this.starts.set(topic, start)
  }
  remove(topic: string): void {
    this.starts.delete(topic)
  }
  /** Where the subscription begins in a partition; undefined in one that was added later: there with its first message. */
  startOf(topic: string, partition: number): number | undefined {
    return this.starts.get(topic)?.ends.get(partition)
  }
  /** The topic was removed and made again since the subscription was made: all of its messages came after that. */
  isMadeAgain(topic: string, topicId: string): boolean {
    const start = this.starts.get(topic)
    return start !== undefined && start.topicId !== topicId
  }
}
