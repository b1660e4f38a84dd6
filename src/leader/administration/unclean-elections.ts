import { Effect, Queue, type Scope } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { liveNodeConfig } from "../../../domain/cluster/config/node.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { type Cluster, topicById } from "../../../domain/cluster/state.ts"
import { leaderlessPartitions } from "../../../domain/cluster/topic/leaderless.ts"
import { CommandIds } from "../../stream/command-ids.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { LeaderSettings } from "../settings.ts"

/** Events after which a partition may have no replica left that has all its records, or one that could lead. */
const causes: ReadonlySet<Event["_tag"]> = new Set<Event["_tag"]>([
  "BrokerFenced",
  "BrokerUnfenced",
  "BrokerRemoved",
  "LeadersElected",
  "LeaderElectedUncleanly",
  "InSyncSetsChanged",
  "ReplicasDisowned",
  "TopicConfigsChanged",
  "NodeConfigsChanged"
])
/** Partitions that a log line names. */
const namedMax = 10

const warn = (cluster: Cluster, events: ReadonlyArray<Event>): Effect.Effect<void> => {
  const unclean = events.flatMap((event) => (event._tag === "LeaderElectedUncleanly" ? [event] : []))
  if (unclean.length === 0) return Effect.void
  const named = unclean
    .slice(0, namedMax)
    .map(({ lastInSync, leader, partition, topicId }) => `${topicById(cluster, topicId)?.name}-${partition} by broker ${leader} (in sync: ${lastInSync})`)
  const more = unclean.length > namedMax ? ", …" : ""
  return Effect.logWarning(
    `unclean.leader.election.enable: ${unclean.length} partitions are led by a replica that may lack acknowledged records: ${named.join(", ")}${more}`
  )
}

/** Partitions that one command elects leaders for. */
const partitionsMax = 10_000
/** How long to wait before an election is tried again that could not be journalled, ms. */
const retryMs = 1000

/**
 * Elects leaders where `unclean.leader.election.enable` allows it, for as long as it runs: a replica that lacks
 * acknowledged records leads where no other can. R8: by a command of its own, whose event names what is lost.
 */
export const electUncleanly: Effect.Effect<never, never, ClusterStream | CommandIds | LeaderSettings | Scope.Scope> = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const commandIds = yield* CommandIds
  const { config, nodeId } = yield* LeaderSettings
  const settings = liveNodeConfig(config, writer.state, nodeId)
  const due = yield* Queue.sliding<void>(1)
  writer.onChange(({ events }) => {
    if (events.some(({ _tag }) => causes.has(_tag))) due.unsafeOffer(undefined)
  })
  due.unsafeOffer(undefined)
  const elect = Effect.suspend(() => {
    const partitions = leaderlessPartitions(writer.state(), settings()["unclean.leader.election.enable"], partitionsMax)
    if (partitions.length === 0) return Effect.void
    const command = Command.ElectLeaders({ kind: "unclean", partitions, commandedBy: "unclean.leader.election.enable" })
    return writer.submit({ command, commandId: commandIds.own(), actor: "leader", cause: "unclean.leader.election.enable" }).pipe(
      Effect.flatMap(({ events }) => warn(writer.state(), events)),
      Effect.catchAll(({ message }) =>
        Effect.zipRight(
          Effect.delay(Effect.logDebug(message), retryMs),
          Effect.sync(() => due.unsafeOffer(undefined))
        )
      )
    )
  })
  return yield* Effect.forever(Effect.zipRight(Queue.take(due), elect))
})
