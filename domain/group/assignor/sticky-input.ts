import { type PartitionCounts, type Subscriptions, subscribedTopics, type TopicPartitions } from "./assignor.ts"

/** The partitions that a member owned before, and in which generation; null: unknown. */
export interface Memory {
  readonly owned: ReadonlyArray<TopicPartitions>
  readonly generation: number | null
}

/** Java's DEFAULT_GENERATION: below every real one. */
export const noGeneration = -1

/**
 * The sticky assignors work on numbers. A member's number is its index in the order of the ids. A partition's ordinal
 * is its index among all partitions, in the order of topic, then partition.
 */
export interface StickyInput {
  readonly members: ReadonlyArray<string>
  readonly topics: ReadonlyArray<string>
  /** The ordinal of each topic's first partition; one more entry at the end: the number of all partitions. */
  readonly starts: ReadonlyArray<number>
  /** Topic of each partition. */
  readonly topicOf: Int32Array
  /** Topics of each member, ascending. */
  readonly subscribed: ReadonlyArray<ReadonlySet<number>>
  /** Whether all members subscribe to the same topics, those included that do not exist. */
  readonly uniform: boolean
  /**
   * What each member held and may still count on: of topics that exist; no partition twice. Not yet: whether the member
   * still subscribes to it.
   */
  readonly owned: ReadonlyArray<Set<number>>
  /** Partitions that two members claim in the same generation: neither is believed. */
  readonly disputed: ReadonlySet<number>
  /** The member that held a partition in an older generation than the latest, with that generation. */
  readonly previous: ReadonlyMap<number, { readonly member: number; readonly generation: number }>
}

export const partitionCount = ({ starts }: StickyInput): number => starts[starts.length - 1] ?? 0

const sameTopics = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => a.size === b.size && Array.from(a).every((topic) => b.has(topic))

/** Returns which claims count. Of two claims the one of the later generation counts; of the same generation neither. */
const claims = (memories: ReadonlyArray<Memory>, places: (owned: TopicPartitions) => ReadonlyArray<number>) => {
  const owned = memories.map(() => new Set<number>())
  const disputed = new Set<number>()
  const owner = new Map<number, number>()
  const generationOf = (member: number): number => memories[member]?.generation ?? noGeneration
  memories.forEach((memory, member) => {
    for (const partition of memory.owned.flatMap(places)) {
      const other = owner.get(partition)
      if (other !== undefined && generationOf(member) < generationOf(other)) continue
      if (other !== undefined) owned[other]?.delete(partition)
      if (other !== undefined && generationOf(member) === generationOf(other)) disputed.add(partition)
      else owned[member]?.add(partition)
      owner.set(partition, member)
    }
  })
  return { owned, disputed }
}

/** Claims of generations before the latest: not counted on, but preferred where a partition has to move anyway. */
const olderClaims = (memories: ReadonlyArray<Memory>, places: (owned: TopicPartitions) => ReadonlyArray<number>) => {
  const latest = memories.reduce((max, { generation }) => Math.max(max, generation ?? noGeneration), noGeneration)
  const previous = new Map<number, { readonly member: number; readonly generation: number }>()
  memories.forEach((memory, member) => {
    const generation = memory.generation ?? noGeneration
    if (generation >= latest) return
    for (const partition of memory.owned.flatMap(places)) {
      const known = previous.get(partition)
      if (known === undefined || generation > known.generation) previous.set(partition, { member, generation })
    }
  })
  return previous
}

export const stickyInput = (subscriptions: Subscriptions, counts: PartitionCounts, memoryOf: (member: string) => Memory): StickyInput => {
  const members = Array.from(subscriptions.keys()).sort()
  const topics = subscribedTopics(subscriptions, counts)
  const topicIndex = new Map(topics.map((topic, i) => [topic, i]))
  const starts = [0]
  for (const topic of topics) starts.push((starts[starts.length - 1] ?? 0) + (counts.get(topic) ?? 0))
  const topicOf = new Int32Array(starts[starts.length - 1] ?? 0)
  topics.forEach((_, i) => {
    topicOf.fill(i, starts[i], starts[i + 1])
  })
  const topicsOfMember = members.map((member) => new Set(subscriptions.get(member)?.topics))
  const first = topicsOfMember[0] ?? new Set()
  const places = ({ topic, partitions }: TopicPartitions): ReadonlyArray<number> => {
    const start = starts[topicIndex.get(topic) ?? topics.length] ?? 0
    const count = topicIndex.has(topic) ? (counts.get(topic) ?? 0) : 0
    return partitions.filter((partition) => partition >= 0 && partition < count).map((partition) => start + partition)
  }
  const memories = members.map(memoryOf)
  return {
    members,
    topics,
    starts,
    topicOf,
    subscribed: topicsOfMember.map(
      (names) =>
        new Set(
          Array.from(names, (name) => topicIndex.get(name) ?? -1)
            .filter((topic) => topic >= 0)
            .sort((a, b) => a - b)
        )
    ),
    uniform: topicsOfMember.every((names) => sameTopics(names, first)),
    ...claims(memories, places),
    previous: olderClaims(memories, places)
  }
}

/** Back to topics and partitions, both in order. */
export const named = ({ members, topics, starts, topicOf }: StickyInput, assigned: ReadonlyArray<Iterable<number>>): Map<string, Array<TopicPartitions>> => {
  const byMember = new Map<string, Array<TopicPartitions>>()
  members.forEach((member, i) => {
    const list: Array<{ topic: string; partitions: Array<number> }> = []
    for (const ordinal of Array.from(assigned[i] ?? []).sort((a, b) => a - b)) {
      const topic = topics[topicOf[ordinal] ?? 0] ?? ""
      const partition = ordinal - (starts[topicOf[ordinal] ?? 0] ?? 0)
      const last = list[list.length - 1]
      if (last?.topic === topic) last.partitions.push(partition)
      else list.push({ topic, partitions: [partition] })
    }
    byMember.set(member, list)
  })
  return byMember
}
