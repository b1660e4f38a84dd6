import { Either } from "effect"
import type { Assignor, PartitionCounts, Subscription, TopicPartitions } from "../../../domain/group/assignor/assignor.ts"
import { range } from "../../../domain/group/assignor/range.ts"
import { roundRobin } from "../../../domain/group/assignor/round-robin.ts"
import { sticky } from "../../../domain/group/assignor/sticky.ts"
import { encodeStickyUserData } from "../../../domain/group/assignor/sticky-user-data.ts"
import type { JoinGroup } from "../../protocol/message/11-join-group.ts"
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "../../protocol/message/consumer-protocol.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { AssignorName } from "./options.ts"

const assignors: Readonly<Record<AssignorName, Assignor>> = { range, roundrobin: roundRobin, sticky }
const isAssignor = (name: string): name is AssignorName => Object.hasOwn(assignors, name)

export const protocolType = "consumer"

const byTopic = (places: ReadonlyArray<TopicPartition>): ReadonlyArray<TopicPartitions> => {
  const topics = new Map<string, Array<number>>()
  for (const { partition, topic } of places) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}

/** What a member says of itself for each rule it offers. It owns nothing by then (the eager protocol), but the sticky rule is told what it had. */
export const protocols = (names: ReadonlyArray<AssignorName>, topics: ReadonlyArray<string>, had: ReadonlyArray<TopicPartition>, generation: number) =>
  names.map((name) => {
    const userData = name === "sticky" ? encodeStickyUserData({ previous: byTopic(had), generation }) : null
    return { name, metadata: encodeSubscription({ topics: [...topics].sort(), userData }) }
  })

type Members = ResponseOf<typeof JoinGroup>["members"]

/** What every member subscribes to. A member whose words cannot be read subscribes to nothing. */
export const subscriptionsOf = (members: Members): ReadonlyMap<string, Subscription> =>
  new Map(
    members.map(({ groupInstanceId, memberId, metadata }) => {
      const read = Either.getOrUndefined(decodeSubscription(metadata))
      const subscription: Subscription = {
        topics: read?.topics ?? [],
        ownedPartitions: read?.ownedPartitions ?? [],
        generation: read === undefined || read.generationId < 0 ? null : read.generationId,
        userData: read?.userData ?? null,
        instanceId: groupInstanceId
      }
      return [memberId, subscription]
    })
  )

export const topicsOf = (subscriptions: ReadonlyMap<string, Subscription>): ReadonlyArray<string> => [
  ...new Set([...subscriptions.values()].flatMap(({ topics }) => topics))
]

/** The partitions of every member, as SyncGroup takes them; undefined where the group chose a rule that is not ours. */
export const assign = (rule: string, subscriptions: ReadonlyMap<string, Subscription>, counts: PartitionCounts) => {
  if (!isAssignor(rule)) return undefined
  const assignment = assignors[rule].assign(subscriptions, counts)
  return [...assignment].map(([memberId, topics]) => ({ memberId, assignment: encodeAssignment({ assignedPartitions: topics }) }))
}

/** The places that the group's leader gave to this member; empty bytes give none. */
export const placesOf = (assignment: Uint8Array): Either.Either<ReadonlyArray<TopicPartition>, string> => {
  if (assignment.length === 0) return Either.right([])
  return Either.mapBoth(decodeAssignment(assignment), {
    onLeft: ({ message }) => message,
    onRight: ({ assignedPartitions }) => assignedPartitions.flatMap(({ partitions, topic }) => partitions.map((partition) => ({ topic, partition })))
  })
}
