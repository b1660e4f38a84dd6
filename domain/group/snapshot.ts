import { HashMap, Schema } from "effect"
import { type Member, Protocol } from "./classic/member.ts"
import { GroupId, MemberId } from "./id.ts"
import { noOffsets, type Offsets, PartitionOffset, withCommitted } from "./offset/committed.ts"
import { memberBytes, pendingBytes } from "./size.ts"
import { FirstRound, type Group, Pending, Phase, Span, sortedMembers } from "./state.ts"

/** A group as it stands in a snapshot: what the fold of its events comes to, in one order, so that equal groups have equal bytes. */
export const Snapshot = Schema.Struct({
  v: Schema.Literal(1),
  groupId: GroupId,
  phase: Phase,
  since: Schema.Int,
  answeredAt: Schema.Int,
  wait: Schema.NullOr(Span),
  firstRound: Schema.NullOr(FirstRound),
  generation: Schema.Int,
  protocolType: Schema.NullOr(Schema.String),
  protocolName: Schema.NullOr(Schema.String),
  leader: Schema.NullOr(MemberId),
  members: Schema.Array(
    Schema.Struct({
      memberId: MemberId,
      instanceId: Schema.NullOr(Schema.String),
      clientId: Schema.String,
      clientHost: Schema.String,
      sessionTimeoutMs: Schema.Int,
      rebalanceTimeoutMs: Schema.Int,
      protocols: Schema.Array(Protocol),
      assignment: Schema.Uint8ArrayFromBase64,
      joined: Schema.Boolean,
      synced: Schema.Boolean,
      isNew: Schema.Boolean
    })
  ),
  pending: Schema.Array(Schema.Struct({ memberId: MemberId, ...Pending.fields })),
  offsets: Schema.Array(PartitionOffset)
})
export type Snapshot = typeof Snapshot.Type

const listed = (offsets: Offsets): ReadonlyArray<PartitionOffset> => {
  const list: Array<PartitionOffset> = []
  for (const [topic, held] of offsets) for (const [partition, value] of held) list.push({ topic, partition, ...value })
  return list.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
}

export const toSnapshot = (group: Group): Snapshot => {
  const { groupId, phase, since, answeredAt, wait, firstRound, generation, protocolType, protocolName, leader } = group
  return {
    v: 1,
    groupId,
    phase,
    since,
    answeredAt,
    wait,
    firstRound,
    generation,
    protocolType,
    protocolName,
    leader,
    members: sortedMembers(group),
    pending: Array.from(group.pending, ([memberId, pending]) => ({
      memberId,
      ...pending
    })).sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
    offsets: listed(group.offsets)
  }
}

/** The group again; what it keeps twice for speed (instances, counts) is worked out anew. */
export const fromSnapshot = ({ members, pending, offsets, ...saved }: Snapshot): Group => {
  const { groupId, phase, since, answeredAt, wait, firstRound, generation, protocolType, protocolName, leader } = saved
  const committedOffsets = withCommitted(noOffsets, offsets)
  const supported = new Map<string, number>()
  for (const { protocols } of members) for (const { name } of protocols) supported.set(name, (supported.get(name) ?? 0) + 1)
  return {
    groupId,
    phase,
    since,
    answeredAt,
    wait,
    firstRound,
    generation,
    protocolType,
    protocolName,
    leader,
    members: HashMap.fromIterable(members.map((member): [MemberId, Member] => [member.memberId, member])),
    instances: HashMap.fromIterable(
      members.flatMap(({ instanceId, memberId }): Array<[string, MemberId]> => (instanceId === null ? [] : [[instanceId, memberId]]))
    ),
    pending: HashMap.fromIterable(pending.map(({ memberId, ...held }): [MemberId, Pending] => [memberId, held])),
    joinedCount: members.filter(({ joined }) => joined).length,
    unsyncedCount: members.filter(({ synced }) => !synced).length,
    supported: HashMap.fromIterable(supported),
    offsets: committedOffsets.offsets,
    memberBytes: members.reduce((sum, member) => sum + memberBytes(member), 0) + pending.reduce((sum, { memberId }) => sum + pendingBytes(memberId), 0),
    offsetBytes: committedOffsets.more
  }
}
