/** A topic at the time of the subscription. */
interface SubscribedTopic {
  readonly topicId: string
  /** The offset after the last message, by partition. */
  readonly ends: ReadonlyMap<number, number>
}

/** The topics that a consumer has subscribed to, and where each ended at that time. */
export class Subscription {
  private readonly subscribed = new Map<string, SubscribedTopic>()

  /** In the order of their names. */
  get topics(): ReadonlyArray<string> {
    return [...this.subscribed.keys()].sort()
  }
  get isEmpty(): boolean {
    return this.subscribed.size === 0
  }
  has(topic: string): boolean {
    return this.subscribed.has(topic)
  }
  add(topic: string, subscribed: SubscribedTopic): void {
    this.subscribed.set(topic, subscribed)
  }
  remove(topic: string): void {
    this.subscribed.delete(topic)
  }
  /**
   * The offset at which the subscription begins in a partition; undefined in one that was added later, where it begins
   * with the first message.
   */
  startOf(topic: string, partition: number): number | undefined {
    return this.subscribed.get(topic)?.ends.get(partition)
  }
  /** Whether the topic was deleted and created again after the subscription: all of its messages are newer. */
  isRecreated(topic: string, topicId: string): boolean {
    const subscribed = this.subscribed.get(topic)
    return subscribed !== undefined && subscribed.topicId !== topicId
  }
}
