import type { Protocol } from "../../../domain/group/classic/member.ts"
import { Command, type CommandOf } from "../../../domain/group/command.ts"
import { decider } from "../../../domain/group/decide.ts"
import type { Event } from "../../../domain/group/event.ts"
import { groupId, type MemberId, memberId } from "../../../domain/group/id.ts"
import { defaults, type Limits } from "../../../domain/group/limits.ts"
import { type Group, initial } from "../../../domain/group/state.ts"
import { TopicName } from "../../../domain/kernel/id.ts"
import { Given } from "../given.ts"

/** ConsumerProtocolSubscription version 0: version, topics, no user data. */
export const subscription = (...topics: ReadonlyArray<string>): ReadonlyArray<number> => {
  const names = topics.flatMap((name) => [0, name.length, ...new TextEncoder().encode(name)])
  return [0, 0, 0, 0, 0, topics.length].concat(names, [255, 255, 255, 255])
}

export const orders = groupId("orders")
export const topic = (name: string): TopicName => TopicName.make(name)
export const protocol = (name: string, ...metadata: ReadonlyArray<number>): Protocol => ({ name, metadata: Uint8Array.from(metadata) })

type Join = CommandOf<"Join">
/** A dynamic member that joins without an id, as JoinGroup 3 and earlier: the id it gets is `id`. */
export const joins = (id: string, at: number, more: Partial<Join> = {}): Command =>
  Command.Join({
    groupId: orders,
    at,
    memberId: memberId(""),
    newMemberId: memberId(id),
    memberIdRequired: false,
    instanceId: null,
    clientId: "client",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 1e4,
    rebalanceTimeoutMs: 6e4,
    protocolType: "consumer",
    protocols: [protocol("range", 1)],
    reason: "",
    ...more
  })
/** A member that rejoins with its id. */
export const rejoins = (id: string, at: number, more: Partial<Join> = {}): Command => joins("unused", at, { memberId: memberId(id), ...more })
export const syncs = (
  id: string,
  generation: number,
  at: number,
  assignments: Readonly<Record<string, number>> = {},
  instanceId: string | null = null
): Command =>
  Command.Sync({
    groupId: orders,
    at,
    memberId: memberId(id),
    instanceId,
    generation,
    protocolType: null,
    protocolName: null,
    assignments: Object.entries(assignments).map(([to, byte]) => ({
      memberId: memberId(to),
      assignment: Uint8Array.of(byte)
    }))
  })
export const beats = (id: string, generation: number, instanceId: string | null = null): Command =>
  Command.Heartbeat({ groupId: orders, memberId: memberId(id), instanceId, generation })
export const leaves = (at: number, ...ids: ReadonlyArray<string>): Command =>
  Command.Leave({ groupId: orders, at, members: ids.map((id) => ({ memberId: memberId(id), instanceId: null })) })
export const commits = (id: string, generation: number, offset: number, at: number, more: Partial<CommandOf<"CommitOffsets">> = {}): Command =>
  Command.CommitOffsets({
    groupId: orders,
    at,
    memberId: memberId(id),
    instanceId: null,
    generation,
    offsets: [
      {
        topic: topic("t"),
        partition: 0,
        offset,
        leaderEpoch: 0,
        metadata: "",
        commitAt: at,
        expiresAt: null,
        topicId: null
      }
    ],
    ...more
  })

const quick: Limits = { ...defaults, initialRebalanceDelayMs: 3_000 }

export type GivenGroup = Given<Group, Command, Event>
/** A group that does not exist, or the given one. */
export const given = (group: Group = initial, limits: Limits = quick): GivenGroup => new Given(decider(limits), group)

export const id = (text: string): MemberId => memberId(text)
export const complete = (at: number): Command => Command.CompleteJoin({ groupId: orders, at })

/** Members a and b, stable in generation 1 with leader a; the rebalance began at 0 and completed at 3,000. */
export const stable = given().after(joins("a", 0), joins("b", 1), complete(3_000), complete(6_000), syncs("a", 1, 6_001, { a: 1, b: 2 }), syncs("b", 1, 6_002))
