import { HashMap, Option, Schema } from "effect"
import type { KafkaError } from "../kernel/error-code.ts"
import type { Member, Protocol } from "./classic/member.ts"
import { type GroupId, groupId, type MemberId } from "./id.ts"
import { noOffsets, type Offsets } from "./offset/committed.ts"

/**
 * Where a classic group stands, under Kafka's own names.
 *
 * Dead: there is no such group. Empty: it has no members, perhaps offsets. PreparingRebalance: a round is open, members join it.
 * CompletingRebalance: a generation has begun, its leader computes the assignment. Stable: everyone may have its assignment.
 */
export const Phase = Schema.Literal("Dead", "Empty", "PreparingRebalance", "CompletingRebalance", "Stable")
export type Phase = typeof Phase.Type

/** A span of time that must end in a decision: from `startedAt` (ms since the epoch) for `lastsMs`. */
export const Span = Schema.Struct({ startedAt: Schema.Int, lastsMs: Schema.Int })
export type Span = typeof Span.Type

/** A member id handed out (MEMBER_ID_REQUIRED, KIP-394) and not yet used. */
export const Pending = Schema.Struct({ reservedAt: Schema.Int, sessionTimeoutMs: Schema.Int })
export type Pending = typeof Pending.Type

/** The first round of an empty group: it waits a while for more members, and a while more when more have come. */
export const FirstRound = Schema.Struct({ remainingMs: Schema.Int, newcomers: Schema.Boolean })
export type FirstRound = typeof FirstRound.Type

/** A consumer group of the classic protocol: all that the leader decides from. */
export interface Group {
  readonly groupId: GroupId
  readonly phase: Phase
  /** When the phase began, ms since the epoch. */
  readonly since: number
  /** When members that waited for us were last answered: their sessions count from then at the earliest. */
  readonly answeredAt: number
  /** How long the open round, or the wait for SyncGroup, may last. Null: nothing is waited for. */
  readonly wait: Span | null
  readonly firstRound: FirstRound | null
  /** 0 before the first; rises by one at each. */
  readonly generation: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: MemberId | null
  readonly members: HashMap.HashMap<MemberId, Member>
  /** Static members by `group.instance.id`. */
  readonly instances: HashMap.HashMap<string, MemberId>
  readonly pending: HashMap.HashMap<MemberId, Pending>
  readonly joinedCount: number
  readonly unsyncedCount: number
  /** How many members support each assignor. */
  readonly supported: HashMap.HashMap<string, number>
  readonly offsets: Offsets
  /** Derived: bytes of all members and pending ids, and of all offsets (`size.ts`). */
  readonly memberBytes: number
  readonly offsetBytes: number
}

/** No group. */
export const initial: Group = {
  groupId: groupId(""),
  phase: "Dead",
  since: 0,
  answeredAt: 0,
  wait: null,
  firstRound: null,
  generation: 0,
  protocolType: null,
  protocolName: null,
  leader: null,
  members: HashMap.empty(),
  instances: HashMap.empty(),
  pending: HashMap.empty(),
  joinedCount: 0,
  unsyncedCount: 0,
  supported: HashMap.empty(),
  offsets: noOffsets,
  memberBytes: 0,
  offsetBytes: 0
}

export const member = (group: Group, id: MemberId): Member | undefined => Option.getOrUndefined(HashMap.get(group.members, id))
export const instance = (group: Group, instanceId: string): MemberId | undefined => Option.getOrUndefined(HashMap.get(group.instances, instanceId))
export const memberCount = (group: Group): number => HashMap.size(group.members)
/** Members in the order of their ids, so that nothing depends on how a map lays them out. */
export const sortedMembers = (group: Group): ReadonlyArray<Member> =>
  Array.from(HashMap.values(group.members)).sort((a, b) => (a.memberId < b.memberId ? -1 : 1))

/** Why this identity may not speak for a member (KIP-345), or null. */
export const identityError = (group: Group, id: MemberId, instanceId: string | null): KafkaError | null => {
  if (instanceId !== null) {
    const owner = instance(group, instanceId)
    if (owner === undefined) return "UNKNOWN_MEMBER_ID"
    if (owner !== id) return "FENCED_INSTANCE_ID"
  }
  return HashMap.has(group.members, id) ? null : "UNKNOWN_MEMBER_ID"
}

/** The longest any member asks to be waited for when the group rebalances, ms. */
export const rebalanceTimeoutMs = (group: Group): number => {
  let longest = 0
  for (const { rebalanceTimeoutMs } of HashMap.values(group.members)) longest = Math.max(longest, rebalanceTimeoutMs)
  return longest
}

/** Whether a member with these assignors can live in the group: one of them must be supported by every member that is there. */
export const supports = (group: Group, protocolType: string, protocols: ReadonlyArray<Protocol>): boolean => {
  if (group.phase === "Empty" || group.phase === "Dead") return protocolType !== "" && protocols.length > 0
  const size = memberCount(group)
  return group.protocolType === protocolType && protocols.some(({ name }) => Option.getOrElse(HashMap.get(group.supported, name), () => 0) === size)
}

/** The assignor of the next generation: of those that everybody supports, the one that most members prefer; at a tie the first by name. Null without members. */
export const electProtocol = (group: Group): string | null => {
  const size = memberCount(group)
  const votes = new Map<string, number>()
  for (const { protocols } of HashMap.values(group.members)) {
    const vote = protocols.find(({ name }) => Option.getOrElse(HashMap.get(group.supported, name), () => 0) === size)
    if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
  }
  let elected: readonly [name: string, votes: number] | null = null
  for (const vote of votes) if (elected === null || vote[1] > elected[1] || (vote[1] === elected[1] && vote[0] < elected[0])) elected = vote
  return elected === null ? null : elected[0]
}

/** Whether the round can end: everybody is back, and no id that was handed out is still to be used. */
export const everyoneJoined = (group: Group): boolean => group.joinedCount === memberCount(group) && HashMap.isEmpty(group.pending)
