import { join, resolve } from "node:path"
import { Context, Effect, HashMap, Layer } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { readOnly } from "../../../adapters/log/disk/disk.ts"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { nodeDisk } from "../../../adapters/log/file/node-disk.ts"
import { dataDirectories } from "../../../adapters/log/inspect/data-directories.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { metadataTopicId } from "../../../domain/cluster/topic/name.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import type { OfflineConfigs, OpenOfflineConfigs } from "../../cli/admin/offline-config.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import { type ClusterWriter, clusterAggregate, clusterStream } from "../../leader/journal/cluster-aggregate.ts"
import { LogStore } from "../../ports/log-store.ts"
import { CommandIdFactory } from "../../stream/command-ids.ts"
import { openWriter } from "../../stream/writer.ts"
import { type NodeFault, nodeFailure } from "../node/node-failure.ts"

/** Returns the directory of the leader's journal at or below `directory`. */
export const leaderDirectory = (directory: string): Effect.Effect<string, CliFailure> =>
  Effect.gen(function* () {
    const path = resolve(directory)
    if (!nodeDisk.exists(path)) return yield* new CliFailure({ exit: "usage", message: `There is no directory ${path}.` })
    const found = yield* Effect.try({
      try: () => dataDirectories(readOnly(nodeDisk), path).find(({ logs }) => logs.some(({ topicId }) => topicId === metadataTopicId)),
      catch: (cause) => new CliFailure({ exit: "disk", message: `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` })
    })
    if (found !== undefined) return found.path
    return yield* new CliFailure({
      exit: "usage",
      message: `${path} has no journal of a leader. Settings that were set at run time are stored there, for all nodes of the cluster.`,
      hint: `Name the data directory of the leader (metadata.log.dir, or the first of log.dirs), or the directory of \`franz up\`, which has ${join("leader", `${metadataTopicId}-0`)} in it.`
    })
  })

/** Returns the failure for a fault; for a directory that is locked, with a hint to the running node. */
const failure = (fault: NodeFault): CliFailure => {
  const { exit, message } = nodeFailure(fault)
  return fault._tag === "DirectoryLocked"
    ? new CliFailure({ exit, message, hint: "A node that runs takes settings without --offline. Stop it first if it cannot be reached." })
    : new CliFailure({ exit, message })
}

const configsOf = (writer: ClusterWriter): OfflineConfigs => {
  const commandIds = new CommandIdFactory(writer.epoch)
  return {
    all: () =>
      HashMap.toEntries(writer.state().nodeConfigs)
        .map(([node, configs]) => ({ node: node === null ? ("all" as const) : Number(node), configs }))
        .filter(({ configs }) => Object.keys(configs).length > 0)
        .sort((one, other) => Number(one.node === "all" ? -1 : one.node) - Number(other.node === "all" ? -1 : other.node)),
    change: (node, { set, unset }) => {
      const changes = [
        ...Object.entries(set).map(([name, value]) => ({ name, operation: "set" as const, value })),
        ...unset.map((name) => ({ name, operation: "delete" as const, value: null }))
      ]
      const command = Command.ChangeNodeConfigs({ node: node === "all" ? "" : String(node), changes, replace: false, validateOnly: false })
      const submitted = writer
        .submit({ command, commandId: commandIds.own(), actor: "operator", cause: "franz broker config --offline" })
        .pipe(Effect.mapError(({ error, message }) => new CliFailure({ exit: error === "KAFKA_STORAGE_ERROR" ? "disk" : "usage", message })))
      return Effect.asVoid(Effect.raceFirst(submitted, Effect.mapError(writer.stopped, failure)))
    }
  }
}

export const openOfflineConfigs: OpenOfflineConfigs = (directory) =>
  Effect.gen(function* () {
    const path = yield* leaderDirectory(directory)
    return yield* Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(fileStore({ directory: path })), LogStore)
      const journal = yield* Layer.build(Layer.provide(journalOverLog, Layer.succeed(LogStore, store)))
      // No node: over files no other process sees who holds the stream.
      const candidate = { nodeId: -1 }
      const snapshotIntervalEvents = defaultNodeConfig["metadata.snapshot.interval.events"]
      return configsOf(yield* Effect.provide(openWriter(clusterStream, clusterAggregate, { candidate, snapshotIntervalEvents }), journal))
    }).pipe(Effect.provide(checksum), Effect.mapError(failure))
  })
