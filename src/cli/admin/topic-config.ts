import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { argument } from "../shell/spec.ts"
import { configOptions, configure } from "./config-changes.ts"

export const topicConfig = command({
  path: "topic config",
  summary: "show the settings of a topic, or change them while it is in use",
  example: ["franz topic config orders", "franz topic config orders --set retention.ms=86400000 --unset segment.bytes"],
  options: { ...leaderOption, ...configOptions, ...jsonOption },
  argument: argument("TOPIC", "The topic."),
  run: (words, topic) =>
    withAdmin(words, (admin) =>
      configure(words, {
        name: topic,
        json: { topic },
        whose: "a topic has",
        otherwise: "the cluster's value",
        read: admin.topicConfigs(topic),
        change: (changes) => admin.configureTopic(topic, changes)
      })
    )
})
