import { Effect, FiberSet, type Scope } from "effect"
import type { Limits } from "../../domain/group/limits.ts"
import { bug } from "../../domain/kernel/bug.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import { runSteps } from "../ports/event-loop.ts"
import type { GroupFollower, GroupsChange } from "./follower.ts"
import type { GroupMetrics } from "./group-metrics.ts"
import type { GroupsWriter } from "./groups-aggregate.ts"
import { OffsetsPartition } from "./offsets-topic/partition.ts"
import { Deadlines } from "./session/deadlines.ts"
import { LastHeartbeats } from "./session/last-heartbeat.ts"
import { Waiting } from "./session/waiting.ts"

/** One stream of groups that this node coordinates, with everything that follows its events. */
export interface GroupStream {
  readonly index: number
  readonly writer: GroupsWriter
  readonly lastHeartbeats: LastHeartbeats
  readonly waiting: Waiting
  readonly deadlines: Deadlines
  readonly offsets: OffsetsPartition
  /** Answers every command and request that waits, and every later one, with `rejection`: this node coordinates the groups no longer. */
  readonly close: (rejection: Rejection) => Effect.Effect<void>
}

type Followers = Pick<GroupStream, "lastHeartbeats" | "waiting" | "deadlines" | "offsets"> & { readonly metrics: GroupMetrics }

/**
 * The order in which a change of the groups is followed:
 * 1. `metrics` counts the events;
 * 2. `lastHeartbeats` forgets the members that have left, so that nothing behind it counts with their heartbeats;
 * 3. `waiting` answers the requests that the change answers;
 * 4. `deadlines` sets when the groups are due again, and may wake the fiber that watches over them;
 * 5. `offsets` appends to `__consumer_offsets` and wakes its readers: what can be read there was answered before.
 */
export const followersOf = ({ deadlines, lastHeartbeats, metrics, offsets, waiting }: Followers): ReadonlyArray<GroupFollower> => [
  metrics,
  lastHeartbeats,
  waiting,
  deadlines,
  offsets
]

/** Calls the followers with each change in their order. Every follower sees every change once: a gap between two is a bug. */
export const followAll = (stream: string, from: number, followers: ReadonlyArray<GroupFollower>): ((change: GroupsChange) => void) => {
  let next = from
  return (change) => {
    if (change.index !== next) bug(`${stream}: the followers of its groups are at ${next}, and a change begins at ${change.index}`)
    next += change.events.length
    for (const follower of followers) follower.follow(change)
  }
}

interface GroupStreamOptions {
  readonly index: number
  readonly limits: Limits
  /** Ms since 1970; never falls. */
  readonly now: () => number
  readonly metrics: GroupMetrics
  /** Called with the next end of a rebalance or a wait, after each change. */
  readonly onDeadline: (next: number) => void
}

/** Makes what follows the groups of a stream, until the scope closes. */
export const makeGroupStream = (
  writer: GroupsWriter,
  { index, limits, metrics, now, onDeadline }: GroupStreamOptions
): Effect.Effect<GroupStream, never, Scope.Scope> =>
  Effect.gen(function* () {
    const run = yield* FiberSet.makeRuntime<never>()
    const lastHeartbeats = new LastHeartbeats(now())
    const waiting = new Waiting(writer.state)
    const deadlines = new Deadlines(limits, lastHeartbeats, writer.state, onDeadline)
    const offsets = new OffsetsPartition({ partition: index, groups: writer, now, run: (steps) => void run(runSteps(steps)) })
    const stop = writer.onChange(followAll(writer.stream, writer.end(), followersOf({ deadlines, lastHeartbeats, metrics, offsets, waiting })))
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const close = (rejection: Rejection) =>
      Effect.zipRight(
        writer.abandon(rejection),
        Effect.sync(() => waiting.close(rejection))
      )
    return { index, writer, lastHeartbeats, waiting, deadlines, offsets, close }
  })
