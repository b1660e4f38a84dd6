import { Effect } from "effect"
import { brokerList, brokerRemove } from "../../cli/admin/broker.ts"
import { brokerConfig } from "../../cli/admin/broker-config.ts"
import { clusterDescribe, clusterEventsCommand } from "../../cli/admin/cluster.ts"
import { diagnoseCommand } from "../../cli/admin/diagnose.ts"
import { clusterDoctor } from "../../cli/admin/doctor/command.ts"
import { groupCommands } from "../../cli/admin/group.ts"
import { clusterDirs } from "../../cli/admin/log-dirs.ts"
import { clusterMetrics } from "../../cli/admin/metrics.ts"
import type { OpenOfflineConfigs } from "../../cli/admin/offline-config.ts"
import { partitionElect } from "../../cli/admin/partition/elect.ts"
import { partitionMove } from "../../cli/admin/partition/move.ts"
import { topicCommands } from "../../cli/admin/topic.ts"
import { type JournalTransfer, journalCommands } from "../../cli/journal/command.ts"
import { logCommands } from "../../cli/log/command.ts"
import { consumeCommand } from "../../cli/messages/consume.ts"
import { topicCopy } from "../../cli/messages/copy.ts"
import { produceCommand } from "../../cli/messages/produce.ts"
import { consumerCommand } from "../../cli/prompt/consumer.ts"
import { producerCommand } from "../../cli/prompt/producer.ts"
import type { CliCommand } from "../../cli/shell/command.ts"
import { completionCommand } from "../../cli/shell/completion.ts"
import { logTool } from "../log/log-commands.ts"
import { onPlatform, overTransport } from "./supplied.ts"

/** Its modules are loaded when it runs: other commands start sooner. */
const openOffline: OpenOfflineConfigs = (directory) =>
  Effect.flatMap(
    Effect.promise(() => import("../log/offline-config.ts")),
    ({ openOfflineConfigs }) => openOfflineConfigs(directory)
  )

const transferJournal: JournalTransfer = (request) =>
  Effect.flatMap(
    Effect.promise(() => import("../journal/copy.ts")),
    ({ transferJournal }) => transferJournal(request)
  )

/** The commands of `franz` that start no node, in the order of its help. */
const shownCommands = [
  onPlatform(producerCommand()),
  onPlatform(consumerCommand()),
  onPlatform(produceCommand),
  onPlatform(consumeCommand),
  ...topicCommands.map(overTransport),
  onPlatform(topicCopy),
  overTransport(partitionMove),
  overTransport(partitionElect),
  ...groupCommands.map(overTransport),
  overTransport(brokerList),
  overTransport(brokerConfig(openOffline)),
  overTransport(brokerRemove),
  overTransport(clusterDescribe),
  overTransport(clusterDoctor),
  overTransport(clusterDirs),
  overTransport(clusterMetrics),
  overTransport(diagnoseCommand),
  onPlatform(clusterEventsCommand),
  ...journalCommands(transferJournal),
  ...logCommands(logTool)
]

/** `franz completion` knows the commands beside it, and those that start nodes. */
export const clientCommands = (nodeCommands: ReadonlyArray<CliCommand<never>>) => [...shownCommands, completionCommand([...nodeCommands, ...shownCommands])]
