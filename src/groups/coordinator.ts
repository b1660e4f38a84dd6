import { Cause, Effect, Fiber, type Scope } from "effect"
import type { Event as ClusterEvent } from "../../domain/cluster/event.ts"
import type { Cluster } from "../../domain/cluster/state.ts"
import { groupMetadataTopic } from "../../domain/cluster/topic/name.ts"
import type { Load } from "../../domain/group/capacity.ts"
import { streamOf } from "../../domain/group/groups.ts"
import { limitsOf } from "../../domain/group/limits.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import type { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import { registerMetrics } from "../ports/metrics.ts"
import type { CommandIds } from "../stream/command-ids.ts"
import { type UnreadableEvent, WriterStopped } from "../stream/fault.ts"
import { makeRefrain } from "../stream/refrain.ts"
import { openWriter } from "../stream/writer.ts"
import type { Route } from "../wire/route.ts"
import type { GroupRoom, GroupStream } from "./context.ts"
import { GroupMetrics } from "./group-metrics.ts"
import { type GroupsWriter, groupStreamName, groupsAggregate } from "./groups-aggregate.ts"
import { forgetRemovedTopics, makeSuspects } from "./offset/removed-topics.ts"
import { groupRoutes } from "./routes.ts"
import { Heard } from "./session/last-heartbeat.ts"
import { latestTime, steadyTime } from "./session/steady-time.ts"
import { Waiting } from "./session/waiting.ts"
import { watchGroups, watchOffsets } from "./session/watch.ts"

/** Streams that are read at a time when the leader starts. */
const openedAtATime = 4

interface CoordinatorOptions {
  readonly config: NodeConfig
  /** The cluster as this node knows it. */
  readonly cluster: () => Cluster
  readonly commandIds: CommandIds
  /** Over how many streams the groups are spread. */
  readonly streamCount: number
}

/** The coordinator of every group. */
export interface Coordinator {
  readonly streams: ReadonlyArray<GroupStream>
  readonly routes: ReadonlyArray<Route>
  /** Ms since 1970; never falls, also not from one leader to the next. */
  readonly now: () => number
  /** Tells the coordinator of events that `cluster` has. */
  readonly clusterChanged: (events: ReadonlyArray<ClusterEvent>) => void
  /** Fails when the journal refuses, or when nobody watches over the groups any more: the node must stop. */
  readonly stopped: Effect.Effect<never, WriterStopped>
}

const total = (writers: ReadonlyArray<GroupsWriter>): Load => {
  let [groups, bytes] = [0, 0]
  for (const writer of writers) {
    const { load } = writer.state()
    groups += load.groups
    bytes += load.bytes
  }
  return { groups, bytes }
}

/** A bug in what watches over the groups must not leave them without it. */
const watching = (watch: Effect.Effect<never>): Effect.Effect<Effect.Effect<never, WriterStopped>, never, Scope.Scope> =>
  Effect.map(Effect.forkScoped(watch), (fiber) =>
    Effect.catchAllCause(Fiber.join(fiber), (cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.never
        : Effect.fail(
            new WriterStopped({
              stream: groupMetadataTopic,
              cause,
              message: `The leader met a bug in watching over the groups, and stops: ${Cause.pretty(cause)}`
            })
          )
    )
  )

/** Takes the groups' streams under new epochs, reads them, and watches over sessions, rounds and offsets until the scope closes. Faults as `openWriter`. */
export const makeCoordinator = (options: CoordinatorOptions): Effect.Effect<Coordinator, LogFault | UnreadableEvent, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const { cluster, commandIds, config, streamCount } = options
    const clock = yield* Effect.clock
    const limits = limitsOf(config)
    const writing = { snapshotIntervalEvents: config["metadata.snapshot.interval.events"], trimAfterSnapshot: true }
    const opened: Array<GroupsWriter> = []
    // The other streams count as they are durable: what they are just about to write is less than one append each.
    const elsewhere = (index: number) => (): Load => total(opened.filter((_, other) => other !== index))
    const writers = yield* Effect.forEach(
      Array.from({ length: streamCount }, (_, index) => index),
      (index) => Effect.tap(openWriter(groupStreamName(index), groupsAggregate(limits, elsewhere(index)), writing), (writer) => (opened[index] = writer)),
      { concurrency: openedAtATime }
    )
    const now = steadyTime(clock, Math.max(0, ...writers.map((writer) => latestTime(writer.state()))))
    const metrics = new GroupMetrics()
    yield* registerMetrics(() => metrics.samples(writers.map((writer) => writer.state())))
    const streams = writers.map((writer): GroupStream => {
      const heard = new Heard(now())
      writer.onChange(({ events }) => {
        metrics.follow(events)
        for (const event of events) heard.follow(event)
      })
      return { writer, heard, waiting: new Waiting(writer) }
    })
    const suspects = yield* makeSuspects
    const room: GroupRoom = {
      limits,
      cluster,
      commandIds,
      streams,
      streamOf: (groupId) => streams[streamOf(groupId, streamCount)] as GroupStream,
      now,
      load: () => total(writers),
      refrain: makeRefrain(),
      suspect: suspects.add
    }
    const watches = yield* Effect.forEach([watchGroups(room), watchOffsets(room), forgetRemovedTopics(room, suspects)], watching)
    const stopped = [...writers.map((writer) => writer.stopped), ...watches].reduce((one, other) => Effect.raceFirst(one, other))
    return { streams, routes: groupRoutes(room), now, clusterChanged: suspects.follow, stopped }
  })
