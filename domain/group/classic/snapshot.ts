import { HashMap, Schema } from "effect"
import { GroupId, MemberId } from "../id.ts"
import { noOffsets, PartitionOffset, withCommitted } from "../offset/committed.ts"
import { listedOffsets } from "../offset/snapshot.ts"
import { type Member, Protocol } from "./member.ts"
import { memberBytes, pendingBytes } from "./size.ts"
import { type ClassicGroup, InitialRebalance, Pending, Phase, Span, sortedMembers } from "./state.ts"

/** A classic group in a snapshot, version 1. */
export const ClassicSnapshot = Schema.Struct({
  v: Schema.Literal(1),
  /** Absent in snapshots of versions that knew no other type. */
  type: Schema.optionalWith(Schema.Literal("classic"), { default: () => "classic" as const }),
  groupId: GroupId,
  phase: Phase,
  since: Schema.Int,
  answeredAt: Schema.Int,
  wait: Schema.NullOr(Span),
  /** The initial rebalance. */
  firstRound: Schema.NullOr(InitialRebalance),
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
type ClassicSnapshot = typeof ClassicSnapshot.Type

export const classicSnapshotOf = (group: ClassicGroup): ClassicSnapshot => {
  const { groupId, phase, since, answeredAt, wait, initialRebalance, generation, protocolType, protocolName, leader } = group
  return {
    v: 1,
    type: "classic",
    groupId,
    phase,
    since,
    answeredAt,
    wait,
    firstRound: initialRebalance,
    generation,
    protocolType,
    protocolName,
    leader,
    members: sortedMembers(group),
    pending: Array.from(group.pending, ([memberId, pending]) => ({
      memberId,
      ...pending
    })).sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
    offsets: listedOffsets(group.offsets)
  }
}

export const classicOf = ({ members, pending, offsets, ...saved }: ClassicSnapshot): ClassicGroup => {
  const { groupId, phase, since, answeredAt, wait, firstRound, generation, protocolType, protocolName, leader } = saved
  const committedOffsets = withCommitted(noOffsets, offsets)
  const supported = new Map<string, number>()
  for (const { protocols } of members) for (const { name } of protocols) supported.set(name, (supported.get(name) ?? 0) + 1)
  return {
    type: "classic",
    groupId,
    phase,
    since,
    answeredAt,
    wait,
    initialRebalance: firstRound,
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
