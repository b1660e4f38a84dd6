import { Either } from "effect"
import { type NodeConfig, nodeSetting, type SettingName } from "./node.ts"
import { type AnySetting, bool, list, parseSetting, type Setting, withoutEffect } from "./setting.ts"

const inherited = {
  "cleanup.policy": "log.cleanup.policy",
  "compression.type": "compression.type",
  "compression.gzip.level": "compression.gzip.level",
  "compression.lz4.level": "compression.lz4.level",
  "compression.zstd.level": "compression.zstd.level",
  "delete.retention.ms": "log.cleaner.delete.retention.ms",
  "file.delete.delay.ms": "log.segment.delete.delay.ms",
  "flush.messages": "log.flush.interval.messages",
  "flush.ms": "log.flush.interval.ms",
  "franz.produce.validate": "franz.produce.validate",
  "index.interval.bytes": "log.index.interval.bytes",
  "local.retention.bytes": "log.local.retention.bytes",
  "local.retention.ms": "log.local.retention.ms",
  "max.compaction.lag.ms": "log.cleaner.max.compaction.lag.ms",
  "max.decompressed.message.bytes": "max.decompressed.message.bytes",
  "max.message.bytes": "message.max.bytes",
  "message.timestamp.after.max.ms": "log.message.timestamp.after.max.ms",
  "message.timestamp.before.max.ms": "log.message.timestamp.before.max.ms",
  "message.timestamp.type": "log.message.timestamp.type",
  "min.cleanable.dirty.ratio": "log.cleaner.min.cleanable.ratio",
  "min.compaction.lag.ms": "log.cleaner.min.compaction.lag.ms",
  "min.insync.replicas": "min.insync.replicas",
  preallocate: "log.preallocate",
  "remote.copy.lag.bytes": "log.remote.copy.lag.bytes",
  "remote.copy.lag.ms": "log.remote.copy.lag.ms",
  "retention.bytes": "log.retention.bytes",
  "retention.ms": "log.retention.ms",
  "segment.bytes": "log.segment.bytes",
  "segment.index.bytes": "log.index.size.max.bytes",
  "segment.jitter.ms": "log.roll.jitter.ms",
  "segment.ms": "log.roll.ms",
  "unclean.leader.election.enable": "unclean.leader.election.enable"
} as const satisfies Record<string, SettingName>

/** [partition]:[broker],… or *, as Kafka writes replicas that are slowed down. */
const replicas = { form: { pattern: /^(\*|\d+:\d+(,\d+:\d+)*)?$/, expected: "*, or a list of PARTITION:BROKER" } }
const noTiers = "there is no tiered storage (docs/skipped.md)."

/** Settings of a topic that no node setting has. */
const ownOnly = {
  "follower.replication.throttled.replicas": list(
    "",
    "Replicas that copy within follower.replication.throttled.rate while they catch up, as PARTITION:BROKER, or * for all.",
    replicas
  ),
  "leader.replication.throttled.replicas": list(
    "",
    "Leaders from which replicas that catch up copy within leader.replication.throttled.rate, as PARTITION:BROKER, or * for all.",
    replicas
  ),
  "errors.deadletterqueue.group.enable": withoutEffect(
    bool(false, "Whether share groups may write records here that they could not deliver."),
    "there are no share groups (docs/skipped.md)."
  ),
  "remote.log.copy.disable": withoutEffect(bool(false, "Whether nothing more is copied to the second tier."), noTiers),
  "remote.log.delete.on.disable": withoutEffect(bool(false, "Whether the second tier is emptied when it is switched off."), noTiers),
  "remote.storage.enable": {
    ...bool(false, "Whether old segments move to a second tier of storage. Only false is taken."),
    notBuilt: { refuses: (value: boolean) => value, why: "There is no tiered storage (docs/skipped.md)." }
  }
} as const satisfies Record<string, AnySetting>

type InheritedName = keyof typeof inherited
type OwnName = keyof typeof ownOnly
type TopicSettingName = InheritedName | OwnName

/** A topic's setting, and the node setting whose value it has where the topic's is absent. */
interface TopicSetting {
  readonly setting: AnySetting
  readonly base: SettingName | undefined
}
const inheritedEntries = Object.entries(inherited).map(([name, base]): readonly [string, TopicSetting] => [name, { setting: nodeSetting(base), base }])
const ownEntries = Object.entries(ownOnly).map(([name, setting]): readonly [string, TopicSetting] => [name, { setting, base: undefined }])

/** The settings of a topic, by Kafka's names. What is not listed is refused with INVALID_CONFIG. */
export const topicSettings = Object.fromEntries([...inheritedEntries, ...ownEntries]) as Readonly<Record<TopicSettingName, TopicSetting>>
export const topicSettingNames = (Object.keys(topicSettings) as ReadonlyArray<TopicSettingName>).toSorted()
export const isTopicSetting = (name: string): name is TopicSettingName => Object.hasOwn(topicSettings, name)

/** Every setting of a topic with its value: `config["retention.ms"]`. */
export type TopicConfig = { readonly [K in InheritedName]: NodeConfig[(typeof inherited)[K]] } & {
  readonly [K in OwnName]: (typeof ownOnly)[K] extends Setting<infer A> ? A : never
}

/**
 * What holds for a topic: its own settings over the node's. Own values were checked when they were set; one that no
 * longer reads falls back to the node's.
 */
export const topicConfig = (node: NodeConfig, own: Readonly<Record<string, string>>): TopicConfig =>
  Object.fromEntries(
    topicSettingNames.map((name) => {
      const { base, setting } = topicSettings[name]
      const fallback = base === undefined ? setting.default : node[base]
      const text = own[name]
      return [name, text === undefined ? fallback : Either.getOrElse(parseSetting(name, setting, text), () => fallback)]
    })
  ) as TopicConfig
