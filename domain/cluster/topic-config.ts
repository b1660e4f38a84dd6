import { Either } from "effect"
import { nodeSettings, parseSetting, type TopicSettingName, topicSettings } from "../kernel/config.ts"
import type { Rejection } from "../kernel/error-code.ts"
import { didYouMean } from "../kernel/nearest.ts"
import { topicConfigCharactersMax } from "./bounds.ts"
import type { ConfigEntry } from "./command.ts"
import { rejected } from "./rejected.ts"

export const isTopicSetting = (name: string): name is TopicSettingName => Object.hasOwn(topicSettings, name)

/** The name, what was probably meant, and what there is. */
export const unknownSetting = (name: string): string => {
  const known = Object.keys(topicSettings)
  return `Unknown topic config name: ${name.slice(0, 60)}.${didYouMean(name, known)} This version knows ${known.join(", ")}.`
}

/** A topic's own settings, each known and within its bounds; INVALID_CONFIG names the first that is not, its value and what would fit. */
export const parseTopicConfigs = (entries: ReadonlyArray<ConfigEntry>): Either.Either<Readonly<Record<string, string>>, Rejection> => {
  const configs: Record<string, string> = {}
  let characters = 0
  for (const { name, value } of entries) {
    if (!isTopicSetting(name)) return rejected("INVALID_CONFIG", unknownSetting(name))
    if (value === null) return rejected("INVALID_CONFIG", `Null value not supported for topic configs: ${name}.`)
    characters += name.length + value.length
    if (characters > topicConfigCharactersMax) return rejected("INVALID_CONFIG", `The settings have more than ${topicConfigCharactersMax} characters.`)
    if (Object.hasOwn(configs, name)) return rejected("INVALID_CONFIG", `${name} is given twice.`)
    const parsed = parseSetting(name, nodeSettings[topicSettings[name]], value)
    if (Either.isLeft(parsed)) return rejected("INVALID_CONFIG", parsed.left.message)
    configs[name] = value.trim()
  }
  return Either.right(configs)
}
