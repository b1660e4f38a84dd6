import { Effect, Either } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import { DescribeGroups } from "../../protocol/message/15-describe-groups.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { DeleteGroups } from "../../protocol/message/42-delete-groups.ts"
import { decodeAssignment, decodeSubscription } from "../../protocol/message/consumer-protocol.ts"
import type { ResponseOf } from "../../protocol/type/wire.ts"
import { type Client, expectNone } from "../cluster/client.ts"
import { describedWithinMs, startOffsets } from "../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { type CallError, failure, GroupNotEmpty, type NotAuthorized, UnknownGroup } from "../error.ts"
import { makeCoordinator } from "../group/coordinator.ts"

export interface GroupListed {
  readonly group: string
  /** "consumer" for groups of consumers. */
  readonly protocolType: string
  /** "Stable", "Empty", "PreparingRebalance" …; "" where the cluster does not name it. */
  readonly state: string
  /** "classic" or "consumer"; "" where the cluster does not name it. */
  readonly type: string
}

export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  readonly topics: ReadonlyArray<string>
  readonly partitions: ReadonlyArray<TopicPartition>
}
/** The committed offset of a group in a partition. */
export interface GroupOffset extends TopicPartition {
  readonly committed: number
  /** The offset after the last message; undefined where the partition has no leader, or it is not reached within a second. */
  readonly end: number | undefined
  /** The number of messages after the committed offset. */
  readonly lag: number | undefined
}
export interface GroupDescription {
  readonly group: string
  readonly state: string
  readonly protocolType: string
  /** The assignor that the group has chosen; "" while there is none. */
  readonly assignor: string
  readonly members: ReadonlyArray<GroupMember>
  readonly offsets: ReadonlyArray<GroupOffset>
}

type Failure = CallError | NotAuthorized

/** Returns the groups of all nodes, by name. */
export const listGroups = (client: Client): Effect.Effect<ReadonlyArray<GroupListed>, Failure> =>
  client.persistently(
    Effect.gen(function* () {
      const { nodes } = yield* client.metadata.refresh([])
      const listed = new Map<string, GroupListed>()
      const list = (id: number) =>
        Effect.gen(function* () {
          const response = yield* client.callNode(id, ListGroups, {})
          yield* expectNone(kafkaError(response.errorCode), `The groups of node ${id}`)
          for (const { groupId, groupState, groupType, protocolType } of response.groups)
            listed.set(groupId, { group: groupId, protocolType, state: groupState, type: groupType })
        })
      yield* Effect.forEach(nodes.keys(), list, { concurrency: 16, discard: true })
      return [...listed.values()].sort((a, b) => (a.group < b.group ? -1 : 1))
    })
  )

type Described = ResponseOf<typeof DescribeGroups>["groups"][number]

export const memberOf = (member: Described["members"][number]): GroupMember => ({
  memberId: member.memberId,
  instanceId: member.groupInstanceId,
  clientId: member.clientId,
  host: member.clientHost,
  // Members of other kinds of groups (Connect, Streams) have other formats here.
  topics: Either.match(decodeSubscription(member.memberMetadata), { onLeft: () => [], onRight: ({ topics }) => topics }),
  partitions: Either.match(decodeAssignment(member.memberAssignment), {
    onLeft: () => [],
    onRight: ({ assignedPartitions }) => assignedPartitions.flatMap(({ partitions, topic }) => partitions.map((partition) => ({ topic, partition })))
  })
})

/** Returns the committed offsets of a group, with the lag. */
const groupOffsets = (client: Client, group: string): Effect.Effect<ReadonlyArray<GroupOffset>, Failure> => {
  const coordinator = makeCoordinator(client, group)
  const committed = coordinator.persistently(
    Effect.gen(function* () {
      const what = `The offsets of the group '${group}'`
      const response = yield* coordinator.call(OffsetFetch, { groupId: group, topics: null }, { versionMin: 2, versionMax: 7 })
      const error = kafkaError(response.errorCode)
      if (error !== "GROUP_ID_NOT_FOUND") yield* expectNone(error, what)
      return response.topics.flatMap(({ name, partitions }) =>
        partitions
          .filter(({ committedOffset }) => committedOffset >= 0n)
          .map(({ committedOffset, partitionIndex }) => ({ topic: name, partition: partitionIndex, committed: Number(committedOffset) }))
      )
    })
  )
  return Effect.gen(function* () {
    const offsets = yield* committed
    const { topics } = yield* client.metadata.refresh([...new Set(offsets.map(({ topic }) => topic))])
    const led = offsets.filter(({ partition, topic }) => (topics.get(topic)?.partitions[partition]?.leader ?? -1) >= 0)
    const ends = yield* startOffsets(
      client,
      led.map(({ partition, topic }) => ({ topic, partition, at: "latest" as const })),
      "read_uncommitted",
      describedWithinMs
    )
    return offsets.map((one) => {
      const end = ends.get(topicPartitionKey(one))
      return { ...one, end, lag: end === undefined ? undefined : Math.max(0, end - one.committed) }
    })
  })
}

/** Returns the members, the committed offsets and the lag of a group. UnknownGroup when there is none of that name. */
export const describeGroup = (client: Client, group: string): Effect.Effect<GroupDescription, Failure | UnknownGroup> => {
  const coordinator = makeCoordinator(client, group)
  const described = coordinator.persistently(
    Effect.gen(function* () {
      const response = yield* coordinator.call(DescribeGroups, { groups: [group] })
      const result = response.groups[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "GROUP_ID_NOT_FOUND") return yield* new UnknownGroup({ group })
      if (error !== "NONE" || result === undefined) return yield* failure(error, `The group '${group}'`, result?.errorMessage ?? null)
      return result
    })
  )
  return Effect.gen(function* () {
    const { groupState, members, protocolData, protocolType } = yield* described
    const offsets = yield* groupOffsets(client, group)
    // Older clusters describe a dead group instead of an error.
    if (groupState === "Dead" && offsets.length === 0) return yield* new UnknownGroup({ group })
    return { group, state: groupState, protocolType, assignor: protocolData, members: members.map(memberOf), offsets }
  })
}

/** Deletes a group and its offsets. GroupNotEmpty where it has members. */
export const deleteGroup = (client: Client, group: string): Effect.Effect<void, Failure | UnknownGroup | GroupNotEmpty> => {
  const coordinator = makeCoordinator(client, group)
  return coordinator.persistently(
    Effect.gen(function* () {
      const response = yield* coordinator.call(DeleteGroups, { groupsNames: [group] })
      const result = response.results[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "GROUP_ID_NOT_FOUND") return yield* new UnknownGroup({ group })
      if (error === "NON_EMPTY_GROUP") return yield* new GroupNotEmpty({ group })
      if (error !== "NONE") return yield* failure(error, `The group '${group}'`, result?.errorMessage ?? null)
    })
  )
}
