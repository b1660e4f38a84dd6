import { Either } from "effect"
import { isTopicSetting, topicSettingNames, topicSettings } from "../../kernel/config.ts"
import type { Rejection } from "../../kernel/error-code.ts"
import { didYouMean } from "../../kernel/nearest.ts"
import type { ConfigEntry } from "../command.ts"
import { rejected } from "../decision.ts"
import { type Configs, type FindSetting, parseConfigs } from "./changes.ts"

/** A topic's setting; INVALID_CONFIG names what was probably meant, and what there is. */
export const findTopicSetting: FindSetting = (name) =>
  isTopicSetting(name)
    ? Either.right(topicSettings[name].setting)
    : rejected(
        "INVALID_CONFIG",
        `Unknown topic config name: ${name.slice(0, 60)}.${didYouMean(name, topicSettingNames) || ` This version knows ${topicSettingNames.join(", ")}.`}`
      )

/**
 * A topic's own settings, each known and within its bounds; INVALID_CONFIG names the first that is not, its value and
 * what would fit.
 */
export const parseTopicConfigs = (entries: ReadonlyArray<ConfigEntry>): Either.Either<Configs, Rejection> => parseConfigs(entries, findTopicSetting)
