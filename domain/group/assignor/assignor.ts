/** Partitions of one topic, as Kafka's consumer protocol groups them. */
export interface TopicPartitions {
  readonly topic: string
  readonly partitions: ReadonlyArray<number>
}

/**
 * The subscription of a consumer group's member (ConsumerProtocolSubscription), and its instance id, which the
 * coordinator adds.
 */
export interface Subscription {
  readonly topics: ReadonlyArray<string>
  /** What it still holds (version 1 and later): the cooperative assignor's memory. */
  readonly ownedPartitions: ReadonlyArray<TopicPartitions>
  /** The generation in which it held that (version 2 and later), or null. */
  readonly generation: number | null
  /** An assignor's own bytes: the sticky assignor's memory. */
  readonly userData: Uint8Array | null
  readonly instanceId: string | null
}

/** Members by id. */
export type Subscriptions = ReadonlyMap<string, Subscription>
/** How many partitions each topic has that is known. */
export type PartitionCounts = ReadonlyMap<string, number>
/** The partitions of each member; every member has an entry. Topics are in order, and so are the partitions of each. */
export type Assignment = ReadonlyMap<string, ReadonlyArray<TopicPartitions>>

/**
 * A rule that gives every partition of the subscribed topics to one member that subscribes to it. Pure: the same
 * members and partitions give the same assignment.
 */
export interface Assignor {
  /** Its name in JoinGroup, as every Kafka client writes it. */
  readonly name: string
  readonly assign: (subscriptions: Subscriptions, partitions: PartitionCounts) => Assignment
}

const ascending = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Static members first, by instance id, so that they keep their rank under a new member id (KIP-345); then the others
 * by member id.
 */
export const inOrder = (subscriptions: Subscriptions): ReadonlyArray<string> =>
  Array.from(subscriptions)
    .sort(([a, { instanceId: x }], [b, { instanceId: y }]) => (x !== null && y !== null ? ascending(x, y) : x !== null ? -1 : y !== null ? 1 : ascending(a, b)))
    .map(([member]) => member)

/** Returns the topics that have a subscriber and partitions, in order. */
export const subscribedTopics = (subscriptions: Subscriptions, partitions: PartitionCounts): ReadonlyArray<string> => {
  const topics = new Set<string>()
  for (const subscription of subscriptions.values()) for (const topic of subscription.topics) if ((partitions.get(topic) ?? 0) > 0) topics.add(topic)
  return Array.from(topics).sort(ascending)
}
