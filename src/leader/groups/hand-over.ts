import { Effect, Either, HashMap, LogLevel } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import { allKnowGroupPartitions } from "../../../domain/cluster/event-level.ts"
import { type Cluster, liveBrokers } from "../../../domain/cluster/state.ts"
import { groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { defaultNodeConfig, type SettingName } from "../../../domain/kernel/config.ts"
import { GroupCoordinator } from "../../groups/coordinator.ts"
import { RateLimitedLog } from "../../ports/rate-limited-log.ts"
import { leaderIsListed } from "../../serve/cluster/nodes.ts"
import { CommandIds } from "../../stream/command-ids.ts"
import type { ClusterWriter } from "../journal/cluster-aggregate.ts"
import { ClusterStream } from "../journal/cluster-stream.ts"
import { type LeaderOptions, LeaderSettings, partitionsPerBrokerMax } from "../settings.ts"

type Services = ClusterStream | CommandIds | GroupCoordinator | LeaderSettings

/** How long to wait before the handover is tried again, ms: the brokers may have no room for the partitions, or the disk none for the event. */
const retryMs = 10_000

/** The settings by which groups are coordinated: those of the leader until the handover, then each broker's own. */
const groupSettings = [
  "franz.group.max.bytes",
  "franz.group.name.max.bytes",
  "franz.groups.max.bytes",
  "franz.groups.max.count",
  "group.initial.rebalance.delay.ms",
  "group.max.session.timeout.ms",
  "group.max.size",
  "group.min.session.timeout.ms",
  "offset.metadata.max.bytes",
  "offsets.retention.minutes"
] as const satisfies ReadonlyArray<SettingName>

/** Returns NAME=VALUE of the settings of groups that the operator gave this leader. Exported for tests. */
export const givenGroupSettings = ({ config, written }: Pick<LeaderOptions, "config" | "written">): ReadonlyArray<string> => {
  // `franz up` has defaults of its own, for its brokers too.
  const isGiven = (name: SettingName) => config[name] !== defaultNodeConfig[name] && (written?.has(name) ?? true)
  return groupSettings.filter(isGiven).map((name) => `${name}=${config[name]}`)
}

/**
 * Warns of what a leader in a process of its own was told about groups: its brokers may not have been, and would keep the
 * offsets of empty groups for another time. A leader that is a broker too has the settings of a broker.
 */
const warnOfOwnSettings = (cluster: Cluster, options: LeaderOptions): Effect.Effect<void> => {
  const own = givenGroupSettings(options)
  if (own.length === 0 || leaderIsListed(cluster)) return Effect.void
  return Effect.logWarning(`From now on each broker coordinates groups by its own settings. This leader has ${own.join(", ")}: give every broker the same.`)
}

/** Whether there are brokers for so many replicas of the partitions for the groups. */
const hasBrokers = (cluster: Cluster, replicationFactor: number): boolean =>
  HashMap.size(cluster.brokers) >= replicationFactor &&
  groupPartitions(cluster) === undefined &&
  liveBrokers(cluster).filter(({ leavingAt }) => leavingAt === undefined).length >= replicationFactor

/** Waits until the partitions for the groups can be made; warns where a registered broker has an older version. */
const whenDue = (writer: ClusterWriter, replicationFactor: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* writer.when((cluster) => (hasBrokers(cluster, replicationFactor) ? true : undefined))
    if (!allKnowGroupPartitions(writer.state()))
      yield* Effect.logWarning(
        "The leader still coordinates the groups, although there are enough brokers: it hands them over when every registered broker has a version that coordinates groups. Upgrade or unregister the others."
      )
    yield* writer.when((cluster) => (hasBrokers(cluster, replicationFactor) && allKnowGroupPartitions(cluster) ? true : undefined))
  })

/**
 * Closes all streams, and journals the topic that takes their place; opens them again where that fails. A command that
 * would be refused closes none: a cluster without room for the partitions is refused again and again. Returns whether it
 * succeeded.
 */
const handOver = (replicationFactor: number, refusals: RateLimitedLog) =>
  Effect.gen(function* () {
    const { groupStreamCount, writer } = yield* ClusterStream
    const settings = yield* LeaderSettings
    const groups = yield* GroupCoordinator
    const commandIds = yield* CommandIds
    const streams = Array.from({ length: groupStreamCount }, (_, index) => index)
    const command = Command.AddGroupPartitions({
      replicationFactor,
      segmentBytes: settings.config["offsets.topic.segment.bytes"],
      partitionsPerBrokerMax: partitionsPerBrokerMax(settings)
    })
    const refused = (message: string) =>
      refusals.log(LogLevel.Warning, "handover", `The leader still coordinates the groups, although there are enough brokers: ${message}`)
    const foreseen = decide(writer.state(), command)
    if (Either.isLeft(foreseen)) {
      yield* refused(foreseen.left.message)
      return false
    }
    // From the event on the streams of the journal are what the brokers take over: no entry may follow it.
    yield* Effect.forEach(streams, (index) => groups.closeStream(index, true), { discard: true })
    const submitted = writer.submit({ command, commandId: commandIds.own(), actor: "leader", cause: "franz.groups.engine=partitions" })
    const outcome = yield* Effect.either(submitted)
    if (Either.isRight(outcome)) {
      yield* Effect.logInfo(`the groups are handed over to the brokers: ${groupStreamCount} partitions of __group_metadata, ${replicationFactor} replicas each`)
      yield* warnOfOwnSettings(writer.state(), settings)
      return true
    }
    yield* refused(outcome.left.message)
    yield* Effect.catchAll(groups.openStreams(streams), ({ message }) => Effect.logError(`The groups are not served until this node restarts: ${message}`))
    return false
  })

/**
 * Hands the groups over to the brokers, where `franz.groups.engine` is partitions and the leader still coordinates them,
 * as soon as there are enough brokers. A crash before the event of the topic changes nothing; after it the leader does
 * not open the streams of groups any more. A single replica is never made: one copy in a broker is no better than the
 * leader's, and a broker that stops would take groups with it that the leader serves.
 */
export const handOverGroups: Effect.Effect<void, never, Services> = Effect.gen(function* () {
  const { writer } = yield* ClusterStream
  const { config } = yield* LeaderSettings
  const replicationFactor = config["offsets.topic.replication.factor"]
  if (groupPartitions(writer.state()) !== undefined) {
    if (config["franz.groups.engine"] === "leader")
      yield* Effect.logWarning("franz.groups.engine=leader is ignored: the brokers coordinate this cluster's groups, for good.")
    return
  }
  if (config["franz.groups.engine"] === "leader" || replicationFactor === 1) return
  // A single node says nothing of it: the start of most of them is seen by a user who has no more brokers.
  if (HashMap.size(writer.state().brokers) > 1)
    yield* Effect.logInfo(
      `the leader coordinates the groups until ${replicationFactor} brokers are unfenced (offsets.topic.replication.factor); then it hands them over for good`
    )
  const refusals = new RateLimitedLog()
  const attempt = Effect.zipRight(whenDue(writer, replicationFactor), handOver(replicationFactor, refusals))
  yield* Effect.repeat(
    Effect.tap(attempt, (isOver) => (isOver ? Effect.void : Effect.sleep(retryMs))),
    { until: (isOver) => isOver }
  )
})
