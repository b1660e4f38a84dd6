import { Effect, Option } from "effect"
import type { NodeOrAll } from "../../client/admin/node-configs.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { optionalArgument, optionalText } from "../shell/spec.ts"
import { configOptions, configure } from "./config-changes.ts"
import { configureOffline, type OpenOfflineConfigs } from "./offline-config.ts"

const nodeOf = (word: Option.Option<string>): Effect.Effect<NodeOrAll, CliFailure> => {
  if (Option.isNone(word)) return Effect.succeed("all")
  return /^\d{1,10}$/.test(word.value)
    ? Effect.succeed(Number(word.value))
    : Effect.fail(new CliFailure({ exit: "usage", message: `NODE ${word.value}: expected the id of a node. \`franz cluster describe\` lists the nodes.` }))
}

const offlineOption = {
  offline: optionalText({
    name: "offline",
    placeholder: "DIR",
    help: "Show and change the run-time settings in the data directory of a stopped leader (or of `franz up`), for a cluster that cannot be reached."
  })
}
const bothWays = new CliFailure({ exit: "usage", message: "--offline works on a directory and --leader on a running cluster: give one of them." })

export const brokerConfig = (openOffline: OpenOfflineConfigs) =>
  command({
    path: "broker config",
    summary: "show the settings of a node, or change them at run time; without NODE those of all nodes",
    about: ["A setting of the topic takes precedence over one of the node, that over one of all nodes, and that over the node's file."],
    example: [
      "franz broker config 1",
      "franz broker config 1 --set log.retention.ms=86400000",
      "franz broker config --set message.max.bytes=2000000",
      "franz broker config --offline ./data --unset max.connections"
    ],
    options: { ...leaderOption, ...offlineOption, ...configOptions, ...jsonOption },
    argument: optionalArgument("NODE", "The node's id."),
    run: (words, word) =>
      Effect.flatMap(nodeOf(word), (node) => {
        if (Option.isSome(words.offline)) {
          if (Option.isSome(words.leader)) return Effect.fail(bothWays)
          return configureOffline(openOffline, words.offline.value, Option.isNone(word) ? undefined : node, words)
        }
        return withAdmin(words, (admin) =>
          configure(words, {
            name: node === "all" ? "all nodes" : `node ${node}`,
            json: { node },
            whose: node === "all" ? "all nodes have" : "a node has",
            otherwise: node === "all" ? "each node's value" : "the value of all nodes, of its file, or the default",
            read: admin.nodeConfigs(node),
            change: (changes) => admin.configureNode(node, changes)
          })
        )
      })
  })
