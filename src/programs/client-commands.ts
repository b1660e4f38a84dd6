import { Effect } from "effect"
import { brokerList, brokerRemove } from "../cli/client/broker.ts"
import { brokerConfig } from "../cli/client/broker-config.ts"
import { clusterDescribe, clusterEventsCommand } from "../cli/client/cluster.ts"
import { consumeCommand } from "../cli/client/consume.ts"
import { groupCommands } from "../cli/client/group.ts"
import { clusterDirs } from "../cli/client/log-dirs.ts"
import type { OpenOfflineConfigs } from "../cli/client/offline-config.ts"
import { produceCommand } from "../cli/client/produce.ts"
import { topicCommands } from "../cli/client/topic.ts"
import { logCommands } from "../cli/log/command.ts"
import { consumerCommand } from "../cli/prompt/consumer.ts"
import { producerCommand } from "../cli/prompt/producer.ts"
import { logTool } from "./log-commands.ts"
import { onPlatform, overTransport } from "./supplied.ts"

/** What it needs is loaded when it is used: other commands start sooner without. */
const openOffline: OpenOfflineConfigs = (directory) =>
  Effect.flatMap(
    Effect.promise(() => import("./offline-config.ts")),
    ({ openOfflineConfigs }) => openOfflineConfigs(directory)
  )

/** The commands of `franz` that start no node, in the order of its help. */
export const clientCommands = [
  onPlatform(producerCommand()),
  onPlatform(consumerCommand()),
  onPlatform(produceCommand),
  onPlatform(consumeCommand),
  ...topicCommands.map(overTransport),
  ...groupCommands.map(overTransport),
  overTransport(brokerList),
  overTransport(brokerConfig(openOffline)),
  overTransport(brokerRemove),
  overTransport(clusterDescribe),
  overTransport(clusterDirs),
  onPlatform(clusterEventsCommand),
  ...logCommands(logTool)
]
