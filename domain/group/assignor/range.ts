import { type Assignor, inOrder, subscribedTopics, type TopicPartitions } from "./assignor.ts"

/**
 * Each topic by itself is cut into runs of partitions, one for each member that subscribes to it, in the members'
 * order; the first members get the longer runs. Topics with the same number of partitions and the same subscribers are
 * cut alike, so that joins over keys find both sides at one member.
 */
export const range: Assignor = {
  name: "range",
  assign: (subscriptions, partitions) => {
    const assignment = new Map<string, Array<TopicPartitions>>()
    const membersOf = new Map<string, Array<string>>()
    for (const member of inOrder(subscriptions)) {
      assignment.set(member, [])
      for (const topic of new Set(subscriptions.get(member)?.topics)) {
        const members = membersOf.get(topic)
        if (members === undefined) membersOf.set(topic, [member])
        else members.push(member)
      }
    }
    for (const topic of subscribedTopics(subscriptions, partitions)) {
      const members = membersOf.get(topic) ?? []
      const count = partitions.get(topic) ?? 0
      const runLength = Math.floor(count / members.length)
      const longerRuns = count % members.length
      let next = 0
      members.forEach((member, i) => {
        const length = runLength + (i < longerRuns ? 1 : 0)
        if (length > 0) assignment.get(member)?.push({ topic, partitions: Array.from({ length }, (_, p) => next + p) })
        next += length
      })
    }
    return assignment
  }
}
