/** `bun scripts/settings.ts`: writes docs/settings.md, every setting of a node and a topic, out of the tables that the program reads them by. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type AnySetting, nodeSetting, nodeSettingNames, textOf, topicSettingNames, topicSettings } from "../domain/kernel/config.ts"

export const settingsFile = join(import.meta.dir, "../docs/settings.md")

const code = (text: string): string => (text === "" ? "" : `\`${text.replaceAll("|", "\\|")}\``)
const boundOf = (setting: AnySetting, bound: number): string => {
  const isNone = bound === Number.MAX_SAFE_INTEGER || bound === Number.MAX_VALUE || (setting.type === "int" && bound === 2_147_483_647)
  return isNone ? "" : String(bound)
}
const rangeOf = (setting: AnySetting): string => {
  if (setting.oneOf !== undefined) return setting.oneOf.join(", ")
  if (setting.form !== undefined) return setting.form.expected
  if (setting.type === "boolean") return "true, false"
  const { also, max, min } = setting
  if (min === undefined) return ""
  const most = max === undefined ? "" : boundOf(setting, max)
  return `${most === "" ? `${min} or more` : `${min} to ${most}`}${also === undefined ? "" : `, or ${also}`}`
}
const defaultOf = (setting: AnySetting): string => (setting.noDefault === true && setting.coarser === undefined ? "" : code(textOf(setting, setting.default)))
const row = (...cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const nodes = nodeSettingNames.toSorted().map((name) => {
  const setting = nodeSetting(name)
  return row(code(name), setting.type, defaultOf(setting), rangeOf(setting), setting.dynamic === true ? "yes" : "", setting.doc)
})
const topics = topicSettingNames.map((name) => {
  const { base, setting } = topicSettings[name]
  return row(code(name), setting.type, base === undefined ? defaultOf(setting) : code(base), base === undefined ? setting.doc : "")
})

export const settingsText = (): string =>
  [
    "# Settings",
    "",
    "Written by `bun scripts/settings.ts` out of `domain/kernel/config`. Names, defaults and units are Kafka's. A topic's own setting goes before what was set for the node while it runs (`franz broker config 1`), that before what was set for all nodes (`franz broker config`), that before the node's file, that before the default.",
    "",
    "## Of a node",
    "",
    "In a file (`--config`), a variable (`KAFKA_LOG_DIRS`), or `-X NAME=VALUE`; where the fifth column says yes, also while the node runs.",
    "",
    row("name", "type", "default", "range", "at run time", "what it says"),
    row("---", "---", "---", "---", "---", "---"),
    ...nodes,
    "",
    "## Of a topic",
    "",
    "When it is created (`franz topic create --config NAME=VALUE`) or while it is there (`franz topic config`). What it says and its range are the node setting's whose value it has otherwise.",
    "",
    row("name", "type", "otherwise", "what it says"),
    row("---", "---", "---", "---"),
    ...topics,
    ""
  ].join("\n")

if (import.meta.main) writeFileSync(settingsFile, settingsText())
