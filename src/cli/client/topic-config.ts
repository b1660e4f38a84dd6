import { Effect } from "effect"
import { didYouMean } from "../../../domain/kernel/nearest.ts"
import type { ConfigEntry } from "../../client/admin/cluster.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { dim, print, printJson } from "../shell/screen.ts"
import { argument, repeatedText } from "../shell/spec.ts"
import { jsonOption, leaderOption, withAdmin } from "./options.ts"

const usage = (message: string): CliFailure => new CliFailure({ exit: "usage", message })

/** `--set NAME=VALUE`, each once. */
const settings = (texts: ReadonlyArray<string>): Effect.Effect<Record<string, string>, CliFailure> => {
  const set: Record<string, string> = {}
  for (const text of texts) {
    const at = text.indexOf("=")
    if (at <= 0) return Effect.fail(usage(`--set ${text}: expected NAME=VALUE, e.g. --set retention.ms=86400000.`))
    set[text.slice(0, at)] = text.slice(at + 1)
  }
  return Effect.succeed(set)
}

/** The cluster takes it for done when a name that nobody knows is taken back; a person has mistyped it. */
const checkNames = (unset: ReadonlyArray<string>, known: ReadonlyArray<ConfigEntry>): Effect.Effect<void, CliFailure> => {
  const names = known.map(({ name }) => name)
  const strange = unset.find((name) => !names.includes(name))
  return strange === undefined ? Effect.void : Effect.fail(usage(`--unset ${strange}: a topic has no such setting.${didYouMean(strange, names)}`))
}

const show = (configs: ReadonlyArray<ConfigEntry>): void => {
  for (const { isOwn, name, value } of configs) print(`${name}=${value ?? ""}${isOwn ? "" : dim("  (default)")}`)
}

export const topicConfig = command({
  path: "topic config",
  summary: "shows a topic's settings, or changes them while it is in use",
  example: ["franz topic config orders", "franz topic config orders --set retention.ms=86400000 --unset segment.bytes"],
  options: {
    ...leaderOption,
    set: repeatedText({ name: "set", alias: "s", placeholder: "NAME=VALUE", help: "Gives a setting a value; may be repeated." }),
    unset: repeatedText({ name: "unset", placeholder: "NAME", help: "Takes the cluster's value again; may be repeated." }),
    ...jsonOption
  },
  argument: argument("TOPIC", "The topic."),
  run: (words, topic) =>
    Effect.flatMap(settings(words.set), (set) =>
      withAdmin(words, (admin) =>
        Effect.gen(function* () {
          const before = yield* admin.topicConfigs(topic)
          const changes = Object.keys(set).length + words.unset.length
          yield* checkNames(words.unset, before)
          if (changes > 0) yield* admin.configureTopic(topic, { set, unset: words.unset })
          if (words.json) return printJson({ topic, ...(changes === 0 ? { configs: before } : { set, unset: words.unset }) })
          if (changes === 0) return show(before)
          for (const [name, value] of Object.entries(set)) print(`${topic}: ${name}=${value}`)
          for (const name of words.unset) print(`${topic}: ${name} has the cluster's value`)
        })
      )
    )
})
