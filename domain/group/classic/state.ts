import { HashMap, Option, Schema } from "effect"
import type { KafkaError } from "../../kernel/error-code.ts"
import type { AnyGroup } from "../any-group.ts"
import { groupId, type MemberId } from "../id.ts"
import { noOffsets } from "../offset/committed.ts"
import type { Member, Protocol } from "./member.ts"

/**
 * The state of a classic group, by Kafka's names.
 *
 * Dead: there is no such group. Empty: it has no members, perhaps offsets. PreparingRebalance: members join.
 * CompletingRebalance: a generation has begun, and its leader computes the assignment. Stable: every member may have
 * its assignment.
 */
export const Phase = Schema.Literal("Dead", "Empty", "PreparingRebalance", "CompletingRebalance", "Stable")
export type Phase = typeof Phase.Type

/** A span of time that must end in a decision: from `startedAt` (ms since the epoch) for `lastsMs`. */
export const Span = Schema.Struct({ startedAt: Schema.Int, lastsMs: Schema.Int })
export type Span = typeof Span.Type

/** A member id that was given out (MEMBER_ID_REQUIRED, KIP-394) and is not used yet. */
export const Pending = Schema.Struct({ reservedAt: Schema.Int, sessionTimeoutMs: Schema.Int })
export type Pending = typeof Pending.Type

/**
 * The first rebalance of an empty group: it waits a while for more members, and longer when more have joined
 * (`group.initial.rebalance.delay.ms`).
 */
export const InitialRebalance = Schema.Struct({ remainingMs: Schema.Int, newcomers: Schema.Boolean })
export type InitialRebalance = typeof InitialRebalance.Type

/** A group of the classic protocol: all that the coordinator decides from. */
export interface ClassicGroup extends AnyGroup {
  readonly type: "classic"
  readonly phase: Phase
  /** When the phase began, ms since the epoch. */
  readonly since: number
  /**
   * When members that waited for the coordinator were last answered, ms since the epoch: their sessions count from then
   * at the earliest.
   */
  readonly answeredAt: number
  /** How long the joining, or the wait for SyncGroup, may last. Null: the group waits for neither. */
  readonly wait: Span | null
  readonly initialRebalance: InitialRebalance | null
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
}

/** No group. */
export const initialClassic: ClassicGroup = {
  type: "classic",
  groupId: groupId(""),
  phase: "Dead",
  since: 0,
  answeredAt: 0,
  wait: null,
  initialRebalance: null,
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

export const member = (group: ClassicGroup, id: MemberId): Member | undefined => Option.getOrUndefined(HashMap.get(group.members, id))
export const instance = (group: ClassicGroup, instanceId: string): MemberId | undefined => Option.getOrUndefined(HashMap.get(group.instances, instanceId))
export const memberCount = (group: ClassicGroup): number => HashMap.size(group.members)
/** Members in the order of their ids: no result depends on the order of a map. */
export const sortedMembers = (group: ClassicGroup): ReadonlyArray<Member> =>
  Array.from(HashMap.values(group.members)).sort((a, b) => (a.memberId < b.memberId ? -1 : 1))

/** Returns why a request under this identity is not the member's (KIP-345), or null. */
export const identityError = (group: ClassicGroup, id: MemberId, instanceId: string | null): KafkaError | null => {
  if (instanceId !== null) {
    const owner = instance(group, instanceId)
    if (owner === undefined) return "UNKNOWN_MEMBER_ID"
    if (owner !== id) return "FENCED_INSTANCE_ID"
  }
  return HashMap.has(group.members, id) ? null : "UNKNOWN_MEMBER_ID"
}

/** Returns the longest rebalance timeout of all members, ms. */
export const rebalanceTimeoutMs = (group: ClassicGroup): number => {
  let longest = 0
  for (const { rebalanceTimeoutMs } of HashMap.values(group.members)) longest = Math.max(longest, rebalanceTimeoutMs)
  return longest
}

/** Returns whether a member with these assignors may join: every member must support one of them. */
export const supports = (group: ClassicGroup, protocolType: string, protocols: ReadonlyArray<Protocol>): boolean => {
  if (group.phase === "Empty" || group.phase === "Dead") return protocolType !== "" && protocols.length > 0
  const size = memberCount(group)
  return group.protocolType === protocolType && protocols.some(({ name }) => Option.getOrElse(HashMap.get(group.supported, name), () => 0) === size)
}

/**
 * Returns the assignor of the next generation: of those that every member supports, the one that most members prefer;
 * at a tie the first by name. Null without members.
 */
export const electProtocol = (group: ClassicGroup): string | null => {
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

/** Returns whether the joining can end: every member has rejoined, and every id that was given out is used. */
export const allMembersJoined = (group: ClassicGroup): boolean => group.joinedCount === memberCount(group) && HashMap.isEmpty(group.pending)

/** Returns whether the group has neither members nor offsets, nor an id that was given out. */
export const isVoidClassic = ({ offsets, pending, phase }: ClassicGroup): boolean => phase === "Empty" && HashMap.isEmpty(offsets) && HashMap.isEmpty(pending)
