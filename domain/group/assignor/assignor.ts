/** Partitions of one topic, as Kafka's consumer protocol groups them. */
export interface TopicPartitions {
  readonly topic: string
  readonly partitions: ReadonlyArray<number>
}

/**
 * What a member of a consumer group says of itself (ConsumerProtocolSubscription), and its instance id, which the
 * leader knows beside.
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
/** What each member gets; every member has an entry. Topics stand in order, and the partitions of each. */
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
 * Static members first, by instance id, so that they find their place again under a new member id (KIP-345); then the
 * others by member id.
 */
export const inOrder = (subscriptions: Subscriptions): ReadonlyArray<string> =>
  Array.from(subscriptions)
    .sort(([a, { instanceId: x }], [b, { instanceId: y }]) => (x !== null && y !== null ? ascending(x, y) : x !== null ? -1 : y !== null ? 1 : ascending(a, b)))
    .map(([member]) => member)

/** The topics that somebody subscribes to and that have partitions, in order. */
export const subscribedTopics = (subscriptions: Subscriptions, partitions: PartitionCounts): ReadonlyArray<string> => {
  const topics = new Set<string>()
  for (const subscription of subscriptions.values()) for (const topic of subscription.topics) if ((partitions.get(topic) ?? 0) > 0) topics.add(topic)
  return Array.from(topics).sort(ascending)
}
