import { Context, Effect, type Scope } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { liveNodeConfig, nodeConfigsOf } from "../../../domain/cluster/config/node.ts"
import { allBeginWithSnapshots } from "../../../domain/cluster/event-level.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { ClusterImage } from "../../groups/cluster-image.ts"
import type { Journal } from "../../ports/journal.ts"
import { LogFault } from "../../ports/log-store.ts"
import { CommandIdFactory, CommandIds } from "../../stream/command-ids.ts"
import { type UnreadableEvent, WriterStopped } from "../../stream/fault.ts"
import { drawUuid } from "../../stream/uuid.ts"
import { openWriter } from "../../stream/writer.ts"
import { type LeaderOptions, LeaderSettings } from "../settings.ts"
import { type ClusterWriter, clusterAggregate, clusterStream } from "./cluster-aggregate.ts"
import { ClusterSnapshots } from "./cluster-snapshots.ts"

/** The stream of the cluster's events, held under this leader's epoch, of a cluster that is founded. */
export class ClusterStream extends Context.Tag("comanche-franz/ClusterStream")<
  ClusterStream,
  {
    readonly writer: ClusterWriter
    readonly snapshots: ClusterSnapshots
    readonly clusterId: string
    /** The number of streams over which the groups are spread. */
    readonly groupStreamCount: number
    /** Events that the journal had before this leader. */
    readonly eventsBefore: number
  }
>() {}

/** Gives a command whose event must be in the journal before the leader can lead. */
export const mustSucceed = (writer: ClusterWriter, command: Command, commandId: string, cause: string): Effect.Effect<void, WriterStopped> =>
  Effect.raceFirst(
    Effect.mapError(
      Effect.asVoid(writer.submit({ command, commandId, actor: "leader", cause })),
      ({ error, message }) =>
        new WriterStopped({
          stream: clusterStream,
          reason: error === "KAFKA_STORAGE_ERROR" ? "unwritten" : "journal",
          message: `The leader cannot start: ${message}`
        })
    ),
    // A writer that has stopped gives no answer.
    writer.stopped
  )

/** The fault of a journal without the events of the cluster `before`, whose id its directory has. */
export const eventsGone = (before: string): LogFault =>
  new LogFault({
    path: clusterStream,
    reason: "corrupt",
    message: `The journal ${clusterStream} is empty, and its directory was written by cluster ${before}: the events of that cluster are gone. Nothing was changed.`
  })

/** The cluster gets its id the first time that it has a leader. */
const found = (writer: ClusterWriter, commandIds: CommandIdFactory, before: string | undefined): Effect.Effect<string, WriterStopped | LogFault> =>
  Effect.gen(function* () {
    const known = writer.state().clusterId
    if (known !== undefined) return known
    if (before !== undefined) return yield* eventsGone(before)
    const clusterId = yield* drawUuid
    yield* mustSucceed(writer, Command.FoundCluster({ clusterId }), commandIds.own(), "first start")
    return clusterId
  })

/** Over how many streams the groups are spread: what the setting said when the cluster had its first groups. */
const groupStreams = (writer: ClusterWriter, commandIds: CommandIdFactory, config: NodeConfig): Effect.Effect<number, WriterStopped> =>
  Effect.gen(function* () {
    const configured = config["offsets.topic.num.partitions"]
    const known = writer.state().groupStreams
    if (known === undefined) yield* mustSucceed(writer, Command.FixGroupStreams({ count: configured }), commandIds.own(), "first start")
    else if (known !== configured)
      yield* Effect.logWarning(`offsets.topic.num.partitions=${configured} is ignored: this cluster's groups are spread over ${known} streams for good`)
    return known ?? configured
  })

/** Gives all nodes the `min.insync.replicas` of this leader, when the cluster is founded, or opened for the first time by a version that needs it. */
const minInSyncReplicas = (
  writer: ClusterWriter,
  commandIds: CommandIdFactory,
  { config, nodeId, written }: LeaderOptions
): Effect.Effect<void, WriterStopped> =>
  Effect.gen(function* () {
    const known = nodeConfigsOf(writer.state(), null)["min.insync.replicas"]
    if (known === undefined) {
      const count = liveNodeConfig(config, writer.state, nodeId)()["min.insync.replicas"]
      return yield* mustSucceed(writer, Command.FixMinInSyncReplicas({ count }), commandIds.own(), "first start")
    }
    const configured = config["min.insync.replicas"]
    if (written?.has("min.insync.replicas") === true && String(configured) !== known)
      yield* Effect.logWarning(
        `min.insync.replicas=${configured} is ignored: all nodes have ${known}; to change it, franz broker config --set min.insync.replicas=${configured}`
      )
  })

/**
 * Provides the stream of the cluster, until the scope closes. Takes the journal under a new epoch, replays it, and founds the cluster if it is new. UnreadableEvent when the journal holds what this version does not know, LogFault when it cannot be read,
 * WriterStopped when it cannot be written.
 */
export const withClusterStream = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<
  A,
  E | LogFault | UnreadableEvent | WriterStopped,
  Journal | LeaderSettings | Scope.Scope | Exclude<R, ClusterStream | CommandIds | ClusterImage>
> =>
  Effect.gen(function* () {
    const settings = yield* LeaderSettings
    const { clusterId: known, config, nodeId } = settings
    const writer: ClusterWriter = yield* openWriter(clusterStream, clusterAggregate, {
      candidate: { nodeId, address: config["advertised.listeners"] || config.listeners, gone: settings.standby?.gone },
      standby: settings.standby,
      snapshotIntervalEvents: config["metadata.snapshot.interval.events"],
      snapshotIntervalBytes: config["metadata.log.max.record.bytes.between.snapshots"],
      retention: {
        bytes: config["metadata.max.retention.bytes"],
        ms: config["metadata.max.retention.ms"],
        mayTrim: () => allBeginWithSnapshots(writer.state())
      }
    })
    const commandIds = new CommandIdFactory(writer.epoch)
    const eventsBefore = writer.end()
    const clusterId = yield* found(writer, commandIds, known)
    const groupStreamCount = yield* groupStreams(writer, commandIds, config)
    yield* minInSyncReplicas(writer, commandIds, settings)
    const context = Context.make(ClusterStream, { writer, snapshots: yield* ClusterSnapshots.make(writer), clusterId, groupStreamCount, eventsBefore }).pipe(
      Context.add(CommandIds, commandIds),
      Context.add(ClusterImage, { cluster: writer.state })
    )
    return yield* Effect.provide(self, context)
  })
