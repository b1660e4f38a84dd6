import { HashMap } from "effect"
import { metadataOf } from "../../../domain/group/classic/member.ts"
import { sortedMembers } from "../../../domain/group/classic/state.ts"
import type { Event } from "../../../domain/group/event.ts"
import type { GroupId } from "../../../domain/group/id.ts"
import { committed as committedIn, type PartitionOffset, type TopicPartitions } from "../../../domain/group/offset/committed.ts"
import type { Group } from "../../../domain/group/state.ts"
import type { PartitionIndex, TopicName } from "../../../domain/kernel/id.ts"
import type { RecordToWrite } from "../../../domain/log/record.ts"
import { encodeGroupMetadataKey, encodeGroupMetadataValue, encodeOffsetCommitKey, encodeOffsetCommitValue } from "../../protocol/message/consumer-offsets.ts"

/** One record of `__consumer_offsets`. */
export type OffsetsRecord = RecordToWrite
type Records = Generator<OffsetsRecord, void>

const committed = (groupId: GroupId, { commitAt, expiresAt, leaderEpoch, metadata, offset, partition, topic }: PartitionOffset): OffsetsRecord => ({
  timestamp: commitAt,
  key: encodeOffsetCommitKey({ group: groupId, topic, partition }),
  value: encodeOffsetCommitValue({
    offset: BigInt(offset),
    leaderEpoch,
    metadata,
    commitTimestamp: BigInt(commitAt),
    ...(expiresAt === null ? {} : { expireTimestamp: BigInt(expiresAt) })
  })
})

function* uncommitted(groupId: GroupId, timestamp: number, { partitions, topic }: TopicPartitions): Records {
  for (const partition of partitions) yield { timestamp, key: encodeOffsetCommitKey({ group: groupId, topic, partition }), value: null }
}

/** A group with its members, under the assignor that they agreed on. */
const described = (group: Group): OffsetsRecord => ({
  timestamp: group.since,
  key: encodeGroupMetadataKey({ group: group.groupId }),
  value: encodeGroupMetadataValue({
    protocolType: group.protocolType ?? "",
    generation: group.generation,
    protocol: group.protocolName,
    leader: group.leader,
    currentStateTimestamp: BigInt(group.since),
    members: sortedMembers(group).map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataOf(member, group.protocolName),
      assignment: member.assignment
    }))
  })
})

/** Tombstones for a group and for everything that it had committed. */
function* deleted({ groupId, offsets }: Group, timestamp: number): Records {
  for (const [topic, held] of offsets) yield* uncommitted(groupId, timestamp, { topic, partitions: [...HashMap.keys(held)] })
  yield { timestamp, key: encodeGroupMetadataKey({ group: groupId }), value: null }
}

/** How the records of an event are made. */
interface RecordsOf<E> {
  /** Whether the records tell of the group as a whole, so that the group before and after the event is needed. */
  readonly needsState: boolean
  readonly records: (before: Group, event: E, after: Group) => Iterable<OffsetsRecord>
}

const nothing = { needsState: false, records: (): Iterable<OffsetsRecord> => [] }
const group = { needsState: true, records: (_: Group, __: Event, after: Group) => [described(after)] }

/** What Kafka's coordinator would have written for each event: one record for each offset, and one for the group when a generation has its assignment or no member is left. */
const table: { readonly [Tag in Event["_tag"]]: RecordsOf<Extract<Event, { readonly _tag: Tag }>> } = {
  GroupCreated: nothing,
  MemberReserved: nothing,
  MemberJoined: nothing,
  MemberRejoined: nothing,
  MemberReplaced: { needsState: true, records: (_, __, after) => (after.phase === "Stable" ? [described(after)] : []) },
  MemberRemoved: nothing,
  RebalanceStarted: nothing,
  RebalanceExtended: nothing,
  GenerationStarted: nothing,
  GroupEmptied: group,
  MemberSynced: nothing,
  AssignmentsSet: group,
  OffsetsCommitted: {
    needsState: false,
    *records(_, { groupId, offsets }) {
      for (const offset of offsets) yield committed(groupId, offset)
    }
  },
  OffsetsRemoved: {
    needsState: false,
    *records(_, { at, groupId, removed }) {
      for (const partitions of removed) yield* uncommitted(groupId, at, partitions)
    }
  },
  GroupDeleted: { needsState: true, records: (before, { at }) => deleted(before, at) }
}

/** Whether the records of an event are made from the group around it. */
export const needsState = ({ _tag }: Event): boolean => table[_tag].needsState

/** Returns the records of an event of a group, one by one, since an event may have very many. */
export const recordsOfEvent = (before: Group, event: Event, after: Group): Iterable<OffsetsRecord> =>
  (table[event._tag] as RecordsOf<Event>).records(before, event, after)

/** Returns the latest record of an offset; undefined for an offset that is not committed. */
export const offsetRecord = ({ groupId, offsets }: Group, topic: TopicName, partition: PartitionIndex): OffsetsRecord | undefined => {
  const value = committedIn(offsets, topic, partition)
  return value === undefined ? undefined : committed(groupId, { topic, partition, ...value })
}

/** Returns the latest record of a group; undefined for a group that never had members, and for a group between two generations: its record comes with the next assignment. */
export const groupRecord = (group: Group): OffsetsRecord | undefined =>
  group.protocolType !== null && (group.phase === "Stable" || group.phase === "Empty") ? described(group) : undefined
