import {
  isNodeSetting,
  type NodeLayers,
  nodeConfigOf,
  nodeSetting,
  nodeSettingNames,
  type ResourceKind,
  resourceSettings,
  type SettingName,
  textOf,
  topicConfig,
  topicSettingNames,
  topicSettings
} from "../../../domain/kernel/config.ts"

/** Where a value comes from, in Kafka's numbers. */
const configSource = { topic: 1, node: 2, cluster: 3, file: 4, default: 5, logger: 6, clientMetrics: 7, group: 8 } as const
type ConfigSource = (typeof configSource)[keyof typeof configSource]
/** The type of a value, in Kafka's numbers. */
const configType = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7, class: 8, password: 9 } as const

export interface ConfigEntry {
  readonly name: string
  /** Null: it has no value of its own, and another setting applies. */
  readonly value: string | null
  readonly source: ConfigSource
  readonly type: number
  readonly documentation: string
  readonly readOnly: boolean
  /** No response has its value. */
  readonly sensitive?: boolean
  /** The synonyms of the setting with their values, the one that applies first. */
  readonly synonyms: ReadonlyArray<{ readonly name: string; readonly value: string | null; readonly source: ConfigSource }>
}
type Synonyms = ConfigEntry["synonyms"]

/** What each layer says of a node's setting or of its greater units, as Kafka orders them. What comes before the setting itself has a word is not listed. */
const nodeSynonyms = ({ cluster, own, start, written }: NodeLayers, name: SettingName): Synonyms => {
  const names = [name, ...(nodeSetting(name).coarser ?? []).map(([other]) => other)].filter(isNodeSetting)
  const among = (source: ConfigSource, say: (of: SettingName) => string | undefined): Synonyms =>
    names.flatMap((each) => {
      const value = say(each)
      return value === undefined ? [] : [{ name: each, value, source }]
    })
  const all = [
    ...among(configSource.node, (each) => own[each]),
    ...among(configSource.cluster, (each) => cluster[each]),
    ...among(configSource.file, (each) => (written.has(each) ? textOf(nodeSetting(each), start[each]) : undefined)),
    ...among(configSource.default, (each) => (nodeSetting(each).noDefault !== true ? textOf(nodeSetting(each), nodeSetting(each).default) : undefined))
  ]
  const first = all.findIndex((each) => each.name === name)
  return first < 0 ? [] : all.slice(first)
}

/** All settings of a node; those that Kafka hides only where they are set. */
export const nodeEntries = (layers: NodeLayers): ReadonlyArray<ConfigEntry> =>
  nodeSettingNames.flatMap((name) => {
    const entry = nodeEntry(layers, name)
    return entry.source === configSource.default && nodeSetting(name).hidden === true ? [] : [entry]
  })

const nodeEntry = (layers: NodeLayers, name: SettingName): ConfigEntry => {
  const { doc, dynamic, type } = nodeSetting(name)
  const synonyms = nodeSynonyms(layers, name)
  const [first] = synonyms
  const sensitive = type === "password"
  return {
    name,
    value: sensitive ? null : (first?.value ?? null),
    sensitive,
    source: first?.source ?? configSource.default,
    type: configType[type],
    documentation: doc,
    readOnly: dynamic !== true,
    synonyms: sensitive ? synonyms.map((each) => ({ ...each, value: null })) : synonyms
  }
}

/** The cluster-wide dynamic settings of nodes, and no others. */
export const clusterEntries = ({ cluster, start }: NodeLayers): ReadonlyArray<ConfigEntry> => {
  const alone = { start, written: new Set<SettingName>(), cluster, own: {} }
  return nodeSettingNames
    .filter((name) => Object.hasOwn(cluster, name))
    .map((name) => nodeEntry(alone, name))
    .map((entry) => ({ ...entry, synonyms: entry.synonyms.filter(({ source }) => source === configSource.cluster) }))
}

/** All settings of a topic: its own over the node's. */
export const topicEntries = (layers: NodeLayers, own: Readonly<Record<string, string>>): ReadonlyArray<ConfigEntry> => {
  const effective = topicConfig(nodeConfigOf(layers), own)
  return topicSettingNames.map((name) => {
    const { base, setting } = topicSettings[name]
    const value = textOf(setting, effective[name])
    const inherited = base === undefined ? [] : nodeSynonyms(layers, base)
    const synonyms = Object.hasOwn(own, name) ? [{ name, value, source: configSource.topic }, ...inherited] : inherited
    const source = synonyms[0]?.source ?? configSource.default
    return { name, value, source, type: configType[setting.type], documentation: setting.doc, readOnly: false, synonyms }
  })
}

/** All settings of a group or of a subscription: its own over the node's. */
export const resourceEntries = (layers: NodeLayers, kind: ResourceKind, own: Readonly<Record<string, string>>): ReadonlyArray<ConfigEntry> => {
  const node = nodeConfigOf(layers)
  const ownSource = kind === "group" ? configSource.group : configSource.clientMetrics
  return [...resourceSettings(kind)].map(([name, { base, setting }]) => {
    const inherited = base === undefined ? [] : nodeSynonyms(layers, base)
    const value = own[name] ?? textOf(setting, base === undefined ? setting.default : node[base])
    const synonyms = own[name] === undefined ? inherited : [{ name, value, source: ownSource }, ...inherited]
    const source = synonyms[0]?.source ?? configSource.default
    return { name, value, source, type: configType[setting.type], documentation: setting.doc, readOnly: false, synonyms }
  })
}

/** The log level of a node: it has one logger, whose level is fixed while it runs. */
export const loggerEntries: ReadonlyArray<ConfigEntry> = [
  {
    name: "root",
    value: "INFO",
    source: configSource.logger,
    type: configType.string,
    documentation: "The least that a node logs; it is fixed.",
    readOnly: true,
    synonyms: []
  }
]
