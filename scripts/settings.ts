/** `bun scripts/settings.ts`: writes docs/settings.md, every setting of a node and a topic, out of the tables that the program reads them by. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  type AnySetting,
  nodeSetting,
  nodeSettingNames,
  removedSettings,
  resourceSettings,
  textOf,
  topicSettingNames,
  topicSettings
} from "../domain/kernel/config.ts"

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

const resources = (["group", "client-metrics"] as const).map((kind) =>
  [...resourceSettings(kind)].map(([name, { base, setting }]) =>
    row(code(name), setting.type, base === undefined ? defaultOf(setting) : code(base), rangeOf(setting), setting.doc)
  )
)
const head = [row("name", "type", "otherwise", "range", "what it says"), row("---", "---", "---", "---", "---")]
const older = Object.entries(removedSettings).map(([name, why]) => row(code(name), why))

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
    "",
    "## Of a group",
    "",
    "By IncrementalAlterConfigs (`kafka-configs.sh --entity-type groups`), for a group that is there or not. Kept, told and checked as Kafka checks them.",
    "",
    ...head,
    ...(resources[0] ?? []),
    "",
    "## Of a subscription to clients' metrics",
    "",
    ...head,
    ...(resources[1] ?? []),
    "",
    "## That Kafka had before version 4",
    "",
    "A file that names them starts a node, which says in one warning that they change nothing. So do `zookeeper.*`, and names that operators or Java classes make up: `listener.name.NAME.*`, `rsm.config.*`, `rlmm.config.*`, `metrics.*`, `confluent.*`.",
    "",
    row("name", "why it changes nothing"),
    row("---", "---"),
    ...older,
    ""
  ].join("\n")

/** Exported for tests. */
export const settingsTypeFile = join(import.meta.dir, "../src/programs/node-settings.ts")
/** The public type of the settings of a test cluster: without inference, as JSR asks of the types of a package. Exported for tests. */
export const settingsType = (): string =>
  [
    "/** Written by `bun scripts/settings.ts`: the settings of a node that have an effect, docs/settings.md. A name of Kafka's without an effect may be given too. */",
    "export interface NodeSettings {",
    "  readonly [name: `${string}.${string}`]: string | number | boolean | undefined",
    ...nodeSettingNames
      .toSorted()
      .filter((name) => nodeSetting(name).noEffect !== true)
      .map((name) => `  readonly ${/^\w+$/.test(name) ? name : `"${name}"`}?: ${typeof nodeSetting(name).default}`),
    "}",
    ""
  ].join("\n")

if (import.meta.main) {
  writeFileSync(settingsFile, settingsText())
  writeFileSync(settingsTypeFile, settingsType())
}
