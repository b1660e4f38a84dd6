import { Effect, Either, HashMap, LogLevel } from "effect"
import type { Cluster } from "../../domain/cluster/state.ts"
import type { Command } from "../../domain/group/command.ts"
import type { Event } from "../../domain/group/event.ts"
import { groupOf } from "../../domain/group/groups.ts"
import type { GroupId, MemberId } from "../../domain/group/id.ts"
import type { Limits } from "../../domain/group/limits.ts"
import type { Group } from "../../domain/group/state.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import type { TopicName } from "../../domain/kernel/id.ts"
import type { RateLimitedLog } from "../ports/rate-limited-log.ts"
import type { CommandIdFactory } from "../stream/command-ids.ts"
import type { Applied } from "../stream/writer.ts"
import type { RequestContext } from "../wire/route.ts"
import type { GroupStreams } from "./group-streams.ts"

/** What the handlers of group requests and the fibers that watch over the groups share. */
export interface CoordinatorContext {
  readonly limits: Limits
  readonly cluster: () => Cluster
  readonly commandIds: CommandIdFactory
  readonly streams: GroupStreams
  /** Ms since 1970; never falls. */
  readonly now: () => number
  /** Ms by the monotonic clock alone: the difference of two is how long the process was awake or stopped between them. */
  readonly elapsed: () => number
  /** Refusals that clients can cause again and again. */
  readonly refusals: RateLimitedLog
  /** The topics may be removed: the offsets that were committed in them must go, too. */
  readonly suspect: (topics: ReadonlyArray<TopicName>) => void
  /** How long a command waits until it is durable, ms; undefined: as long as that takes. */
  readonly commitTimeoutMs: number | undefined
}

/** Returns the durable group; a Rejection where this node does not coordinate it. */
export const groupIn = ({ streams }: CoordinatorContext, groupId: GroupId): Either.Either<Group, Rejection> =>
  Either.map(streams.of(groupId), ({ writer }) => groupOf(writer.state(), groupId))

/** Ends the wait for a command after its time. It may still become durable: the client asks again. */
const bounded = <A>(submitted: Effect.Effect<A, Rejection>, timeoutMs: number | undefined): Effect.Effect<A, Rejection> =>
  timeoutMs === undefined
    ? submitted
    : Effect.timeoutFail(submitted, {
        duration: timeoutMs,
        onTimeout: (): Rejection => ({
          error: "COORDINATOR_NOT_AVAILABLE",
          message: `Not all in-sync replicas of the group's partition had the change within ${timeoutMs} ms.`
        })
      })

/** Gives a request's command to the group's stream. `part` tells apart the commands of one request and group. */
export const submit = (
  coordinator: CoordinatorContext,
  command: Command,
  context: RequestContext,
  cause: string,
  part = ""
): Effect.Effect<Applied<Event>, Rejection> => {
  const stream = coordinator.streams.of(command.groupId)
  if (Either.isLeft(stream)) return Effect.fail(stream.left)
  const commandId = coordinator.commandIds.ofRequest(context, `${command.groupId}${part}`)
  const submitted = stream.right.writer.submit({ command, commandId, actor: context.actor, cause })
  return Effect.tapError(bounded(submitted, coordinator.commitTimeoutMs), ({ error, message }) =>
    error === "COORDINATOR_NOT_AVAILABLE"
      ? coordinator.refusals.log(LogLevel.Warning, error, `${cause} of ${context.actor} was refused: ${message}`)
      : Effect.void
  )
}

/** Records a heartbeat of the member. A member that has left meanwhile is not remembered. */
export const recordHeartbeat = ({ now, streams }: CoordinatorContext, groupId: GroupId, memberId: MemberId): void => {
  const stream = streams.of(groupId)
  if (Either.isLeft(stream)) return
  const { lastHeartbeats, writer } = stream.right
  if (HashMap.has(groupOf(writer.state(), groupId).members, memberId)) lastHeartbeats.record(groupId, memberId, now())
}
