import { type NodeConfig, nodeSettings, type Setting, type SettingName, topicConfig, topicSettings } from "../../domain/kernel/config.ts"

/** Where a value comes from, in Kafka's numbers. */
export const configSource = { topic: 1, brokerFile: 4, default: 5 } as const
export type ConfigSource = (typeof configSource)[keyof typeof configSource]
/** What kind of text a value is, in Kafka's numbers. */
const configType = { boolean: 1, string: 2, int: 3, long: 5, list: 7 } as const

export interface ConfigEntry {
  readonly name: string
  readonly value: string
  readonly source: ConfigSource
  readonly type: number
  readonly documentation: string
  /** The same value under other names, the nearest first. */
  readonly synonyms: ReadonlyArray<{ readonly name: string; readonly value: string; readonly source: ConfigSource }>
}

/** As Kafka writes it: a bound that is none stands as Java's largest long. */
const textOf = (value: number | boolean | string): string => (value === Number.MAX_SAFE_INTEGER ? "9223372036854775807" : String(value))

const settingOf = (name: SettingName): Setting<number> | Setting<boolean> | Setting<string> => nodeSettings[name]

type Synonyms = ConfigEntry["synonyms"]
const nodeSynonyms = (config: NodeConfig, name: SettingName): Synonyms => {
  const standard = { name, value: textOf(settingOf(name).default), source: configSource.default }
  const own = textOf(config[name])
  return own === standard.value ? [standard] : [{ name, value: own, source: configSource.brokerFile }, standard]
}
const entry = (name: string, setting: SettingName, synonyms: Synonyms): ConfigEntry => {
  const { doc, type } = settingOf(setting)
  const [first] = synonyms
  return { name, value: first?.value ?? "", source: first?.source ?? configSource.default, type: configType[type], documentation: doc, synonyms }
}

/** All settings of a node. */
export const nodeEntries = (config: NodeConfig): ReadonlyArray<ConfigEntry> =>
  (Object.keys(nodeSettings) as ReadonlyArray<SettingName>).map((name) => entry(name, name, nodeSynonyms(config, name)))

/** All settings that hold for a topic: its own over the node's. */
export const topicEntries = (config: NodeConfig, own: Readonly<Record<string, string>>): ReadonlyArray<ConfigEntry> => {
  const effective = topicConfig(config, own)
  return (Object.keys(topicSettings) as ReadonlyArray<keyof typeof topicSettings>).map((name) => {
    const inherited = nodeSynonyms(config, topicSettings[name])
    const set = Object.hasOwn(own, name) ? [{ name, value: textOf(effective[name]), source: configSource.topic }] : []
    return entry(name, topicSettings[name], [...set, ...inherited])
  })
}
