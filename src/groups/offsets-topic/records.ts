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
/** Made one by one, since an event may have very many. */
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

/** Whether an event tells of the group as a whole, so that its record is made from the state around it. */
export const needsState = ({ _tag }: Event): boolean =>
  _tag === "AssignmentsSet" || _tag === "GroupEmptied" || _tag === "MemberReplaced" || _tag === "GroupDeleted"

/** The records that Kafka's coordinator would have written for an event of a group: one for each offset, and one for the group when a generation has its assignment or no member is left. */
export function* recordsOfEvent(before: Group, event: Event, after: Group): Records {
  switch (event._tag) {
    case "OffsetsCommitted":
      for (const offset of event.offsets) yield committed(event.groupId, offset)
      return
    case "OffsetsRemoved":
      for (const partitions of event.removed) yield* uncommitted(event.groupId, event.at, partitions)
      return
    case "AssignmentsSet":
    case "GroupEmptied":
      return yield described(after)
    case "MemberReplaced":
      if (after.phase === "Stable") yield described(after)
      return
    case "GroupDeleted":
      return yield* deleted(before, event.at)
  }
}

/** The latest record of an offset; undefined for one that is not committed. */
export const offsetRecord = ({ groupId, offsets }: Group, topic: TopicName, partition: PartitionIndex): OffsetsRecord | undefined => {
  const value = committedIn(offsets, topic, partition)
  return value === undefined ? undefined : committed(groupId, { topic, partition, ...value })
}

/** The latest record of a group; undefined for one that never had members, and for one between two generations, which has its record with the next assignment. */
export const groupRecord = (group: Group): OffsetsRecord | undefined =>
  group.protocolType !== null && (group.phase === "Stable" || group.phase === "Empty") ? described(group) : undefined
