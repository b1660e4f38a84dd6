import { Either } from "effect"
import type { Assignor, PartitionCounts, Subscription, TopicPartitions } from "../../../domain/group/assignor/assignor.ts"
import { cooperativeSticky } from "../../../domain/group/assignor/cooperative-sticky.ts"
import { range } from "../../../domain/group/assignor/range.ts"
import { roundRobin } from "../../../domain/group/assignor/round-robin.ts"
import { sticky } from "../../../domain/group/assignor/sticky.ts"
import { encodeStickyUserData } from "../../../domain/group/assignor/sticky-user-data.ts"
import type { JoinGroup } from "../../protocol/message/11-join-group.ts"
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "../../protocol/message/consumer-protocol.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { AssignorName } from "./options.ts"

const assignors: Readonly<Record<AssignorName, Assignor>> = { range, roundrobin: roundRobin, sticky, "cooperative-sticky": cooperativeSticky }
const isAssignor = (name: string): name is AssignorName => Object.hasOwn(assignors, name)

export const protocolType = "consumer"

const byTopic = (partitions: ReadonlyArray<TopicPartition>): ReadonlyArray<TopicPartitions> => {
  const topics = new Map<string, Array<number>>()
  for (const { partition, topic } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics].map(([topic, indexes]) => ({ topic, partitions: indexes }))
}

/** What a member tells the group of itself. */
interface MemberMemory {
  /** Its last assignment. */
  readonly last: ReadonlyArray<TopicPartition>
  /** What it still reads; nothing where it is not cooperative. */
  readonly owned: ReadonlyArray<TopicPartition>
  readonly generation: number
  /** null: none. */
  readonly rack: string | null
}

/** The generation as Java's cooperative assignor writes it, for a leader that reads no later version (KIP-792). */
const cooperativeUserData = (generation: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, generation)
  return bytes
}

/**
 * Returns the protocols of JoinGroup: the subscription, once for each assignor. The sticky assignor gets the last
 * assignment as its user data.
 */
export const protocols = (names: ReadonlyArray<AssignorName>, topics: ReadonlyArray<string>, { generation, last, owned, rack }: MemberMemory) => {
  const ownedPartitions = byTopic(owned)
  const userDataOf = (name: AssignorName) => {
    if (name === "sticky") return encodeStickyUserData({ previous: byTopic(last), generation })
    return name === "cooperative-sticky" ? cooperativeUserData(generation) : null
  }
  return names.map((name) => {
    const subscription = { topics: [...topics].sort(), userData: userDataOf(name), ownedPartitions, generationId: generation, rackId: rack }
    return { name, metadata: encodeSubscription(subscription) }
  })
}

type Members = ResponseOf<typeof JoinGroup>["members"]

/** Returns the subscription of every member. One that cannot be decoded has no topics. */
export const subscriptionsOf = (members: Members): ReadonlyMap<string, Subscription> =>
  new Map(
    members.map(({ groupInstanceId, memberId, metadata }) => {
      const decoded = Either.getOrUndefined(decodeSubscription(metadata))
      const subscription: Subscription = {
        topics: decoded?.topics ?? [],
        ownedPartitions: decoded?.ownedPartitions ?? [],
        generation: decoded === undefined || decoded.generationId < 0 ? null : decoded.generationId,
        userData: decoded?.userData ?? null,
        instanceId: groupInstanceId
      }
      return [memberId, subscription]
    })
  )

export const topicsOf = (subscriptions: ReadonlyMap<string, Subscription>): ReadonlyArray<string> => [
  ...new Set([...subscriptions.values()].flatMap(({ topics }) => topics))
]

/**
 * Returns the assignment of every member, as SyncGroup takes it; undefined where the group chose an assignor that this
 * client does not have.
 */
export const assign = (assignor: string, subscriptions: ReadonlyMap<string, Subscription>, counts: PartitionCounts) => {
  if (!isAssignor(assignor)) return undefined
  const assignment = assignors[assignor].assign(subscriptions, counts)
  return [...assignment].map(([memberId, topics]) => ({ memberId, assignment: encodeAssignment({ assignedPartitions: topics }) }))
}

/** Decodes the assignment of this member. Empty bytes are an assignment without partitions. */
export const assignedPartitions = (assignment: Uint8Array): Either.Either<ReadonlyArray<TopicPartition>, string> => {
  if (assignment.length === 0) return Either.right([])
  return Either.mapBoth(decodeAssignment(assignment), {
    onLeft: ({ message }) => message,
    onRight: (decoded) => decoded.assignedPartitions.flatMap(({ partitions, topic }) => partitions.map((partition) => ({ topic, partition })))
  })
}
