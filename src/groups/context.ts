import { Effect, HashMap } from "effect"
import type { Cluster } from "../../domain/cluster/state.ts"
import type { Load } from "../../domain/group/capacity.ts"
import type { Command } from "../../domain/group/command.ts"
import type { Event } from "../../domain/group/event.ts"
import { groupOf } from "../../domain/group/groups.ts"
import type { GroupId, MemberId } from "../../domain/group/id.ts"
import type { Limits } from "../../domain/group/limits.ts"
import type { Group } from "../../domain/group/state.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import type { TopicName } from "../../domain/kernel/id.ts"
import type { Applied } from "../stream/answers.ts"
import type { CommandIds } from "../stream/command-ids.ts"
import type { makeRefrain } from "../stream/refrain.ts"
import type { RequestContext } from "../wire/route.ts"
import type { GroupsWriter } from "./groups-aggregate.ts"
import type { Heard } from "./session/last-heartbeat.ts"
import type { Waiting } from "./session/waiting.ts"

/** One stream of groups: who decides on it, who was heard, and who waits. */
export interface GroupStream {
  readonly writer: GroupsWriter
  readonly heard: Heard
  readonly waiting: Waiting
}

/** What the handlers of group requests share. */
export interface GroupRoom {
  readonly limits: Limits
  readonly cluster: () => Cluster
  readonly commandIds: CommandIds
  readonly streams: ReadonlyArray<GroupStream>
  readonly streamOf: (groupId: GroupId) => GroupStream
  /** Ms since 1970; never falls. */
  readonly now: () => number
  /** What all groups hold, durable. */
  readonly load: () => Load
  /** Says that something was refused, now and then. */
  readonly refrain: ReturnType<typeof makeRefrain>
  /** The topics may be gone: what was committed in them must go too. */
  readonly suspect: (topics: ReadonlyArray<TopicName>) => void
}

/** The group as it stands, durable. */
export const group = (room: GroupRoom, groupId: GroupId): Group => groupOf(room.streamOf(groupId).writer.state(), groupId)

/** Gives a command of a request to the group's stream. `part` tells several of one request and group apart. */
export const ask = (room: GroupRoom, command: Command, context: RequestContext, cause: string, part = ""): Effect.Effect<Applied<Event>, Rejection> =>
  Effect.tapError(
    room
      .streamOf(command.groupId)
      .writer.submit({ command, commandId: room.commandIds.ofRequest(context, `${command.groupId}${part}`), actor: context.actor, cause }),
    ({ error, message }) => (error === "COORDINATOR_NOT_AVAILABLE" ? room.refrain(error, `${cause} of ${context.actor} was refused: ${message}`) : Effect.void)
  )

/** The member was heard of. One that is gone meanwhile is not remembered. */
export const hear = (room: GroupRoom, groupId: GroupId, memberId: MemberId): void => {
  const { heard, writer } = room.streamOf(groupId)
  if (HashMap.has(groupOf(writer.state(), groupId).members, memberId)) heard.note(groupId, memberId, room.now())
}
