import { type Assignor, inOrder, subscribedTopics, type TopicPartitions } from "./assignor.ts"

/**
 * All partitions of all topics in order are dealt out to the members in order, one each, round and round; a member that
 * does not subscribe to the topic is passed over.
 */
export const roundRobin: Assignor = {
  name: "roundrobin",
  assign: (subscriptions, partitions) => {
    const members = inOrder(subscriptions)
    const topicsOf = members.map((member) => new Set(subscriptions.get(member)?.topics))
    const assignment = new Map<string, Array<TopicPartitions>>(members.map((member) => [member, []]))
    let turn = 0
    for (const topic of subscribedTopics(subscriptions, partitions)) {
      const dealt = members.map((): Array<number> => [])
      const count = partitions.get(topic) ?? 0
      for (let partition = 0; partition < count; partition++) {
        // The topic has a subscriber, so the loop ends at one.
        while (topicsOf[turn]?.has(topic) !== true) turn = (turn + 1) % members.length
        dealt[turn]?.push(partition)
        turn = (turn + 1) % members.length
      }
      members.forEach((member, i) => {
        const own = dealt[i] ?? []
        if (own.length > 0) assignment.get(member)?.push({ topic, partitions: own })
      })
    }
    return assignment
  }
}
