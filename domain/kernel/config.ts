import { Either } from "effect"

/** One setting: how its text is read, its bounds, and a sentence for the person who looks it up. Names, defaults and units are Kafka's. */
export interface Setting<A> {
  readonly type: "int" | "long" | "boolean" | "string" | "list"
  readonly default: A
  readonly min?: number
  readonly max?: number
  readonly oneOf?: ReadonlyArray<string>
  /** Values of Kafka's that are refused here, and why: a sentence. */
  readonly notBuilt?: string
  readonly doc: string
}
const int = (at: number, min: number, doc: string, max = 2_147_483_647): Setting<number> => ({ type: "int", default: at, min, max, doc })
const long = (at: number, min: number, doc: string): Setting<number> => ({ type: "long", default: at, min, max: Number.MAX_SAFE_INTEGER, doc })
const bool = (at: boolean, doc: string): Setting<boolean> => ({ type: "boolean", default: at, doc })
const text = (at: string, doc: string, oneOf?: ReadonlyArray<string>): Setting<string> => ({ type: "string", default: at, doc, ...(oneOf ? { oneOf } : {}) })
const list = (at: string, doc: string): Setting<string> => ({ type: "list", default: at, doc })

/** A node's settings, leader and broker alike, by Kafka's server.properties names. */
export const nodeSettings = {
  "node.id": int(0, 0, "This node's id; unique in the cluster."),
  listeners: list("PLAINTEXT://127.0.0.1:9092", "Where the node listens: PLAINTEXT://HOST:PORT; port 0 takes a free one."),
  "advertised.listeners": list("", "The address that clients are told; empty: the one it listens on."),
  "log.open.files.max": int(
    0,
    0,
    "Files that logs have open at a time, all nodes of the process together; 0: half of what the process may open, at most 8192."
  ),
  "log.dirs": list("./data", "The directory that holds this node's data."),
  "broker.rack": text("", "The rack of this broker; empty: none."),
  "num.partitions": int(1, 1, "Partitions of a topic that does not say how many.", 10_000),
  "default.replication.factor": int(1, 1, "Replicas of a topic that does not say how many.", 32_767),
  "auto.create.topics.enable": bool(true, "Whether a topic comes into being when a client asks for its metadata."),
  "delete.topic.enable": bool(true, "Whether topics can be removed."),
  "log.segment.bytes": int(1_073_741_824, 14, "A segment file is rolled before it grows over this many bytes."),
  "log.roll.ms": long(604_800_000, 1, "A segment file is rolled when its first record is this old."),
  "log.retention.ms": long(
    604_800_000,
    -1,
    "How long records are kept, by the newest of a segment: -1 for ever. Goes before log.retention.minutes, and that before log.retention.hours; holds what they say."
  ),
  "log.retention.minutes": int(10_080, -1, "How long records are kept, in minutes; read where log.retention.ms is not set."),
  "log.retention.hours": int(168, -1, "How long records are kept, in hours; read where neither log.retention.ms nor log.retention.minutes is set."),
  "log.retention.bytes": long(-1, -1, "Bytes that a partition keeps before its oldest segments are deleted; -1: no bound."),
  "log.retention.check.interval.ms": long(300_000, 1, "How often logs are looked through for segments that may be deleted."),
  "log.segment.delete.delay.ms": long(60_000, 0, "How long the files of a deleted segment stay on the disk."),
  "log.cleanup.policy": {
    type: "list",
    default: "delete",
    oneOf: ["delete"],
    notBuilt: "Compaction is not built yet (docs/skipped.md).",
    doc: "What becomes of old segments: delete."
  },
  "log.index.interval.bytes": int(4096, 0, "Bytes of log between two entries of the offset index."),
  "log.index.size.max.bytes": int(10_485_760, 12, "Bytes that an index file may have."),
  "log.message.timestamp.type": text("CreateTime", "Whether a record keeps its producer's time or gets the broker's.", ["CreateTime", "LogAppendTime"]),
  "log.message.timestamp.before.max.ms": long(Number.MAX_SAFE_INTEGER, 0, "How far a record's time may lie before the broker's."),
  "log.message.timestamp.after.max.ms": long(3_600_000, 0, "How far a record's time may lie after the broker's."),
  "message.max.bytes": int(1_048_588, 0, "Bytes that a record batch may have."),
  "socket.request.max.bytes": int(104_857_600, 1, "Bytes that a request may have."),
  "max.connections": int(10_000, 1, "Connections that are open at a time; more are closed at once."),
  "max.in.flight.requests": int(64, 1, "Requests of one connection that are worked on or wait; reading stops there."),
  "fetch.max.bytes": int(57_671_680, 1024, "Bytes that a Fetch answer may have."),
  "max.incremental.fetch.session.cache.slots": int(0, 0, "Fetch sessions that are kept; 0: none are offered.", 0),
  "broker.session.timeout.ms": int(9000, 1, "A broker that is silent for this long is fenced."),
  "broker.heartbeat.interval.ms": int(2000, 1, "How often a broker says that it lives."),
  "group.min.session.timeout.ms": int(6000, 1, "The shortest session timeout that a group's member may ask for."),
  "group.max.session.timeout.ms": int(1_800_000, 1, "The longest session timeout that a group's member may ask for."),
  "group.initial.rebalance.delay.ms": int(3000, 0, "How long an empty group waits for more members before its first rebalance."),
  "group.max.size": int(2_147_483_647, 1, "Members that a group may have."),
  "offset.metadata.max.bytes": int(4096, 0, "Bytes of metadata that an offset commit may carry."),
  "offsets.retention.minutes": int(10_080, 1, "Minutes that the offsets of an empty group are kept."),
  "offsets.topic.num.partitions": int(4, 1, "Streams over which the groups are spread; fixed when the cluster is founded.", 1000),
  "producer.id.expiration.ms": int(86_400_000, 1, "A producer that was silent for this long is forgotten."),
  "metadata.snapshot.interval.events": int(10_000, 1, "Events after which the leader writes a snapshot of a stream.")
} as const satisfies Record<string, Setting<number> | Setting<boolean> | Setting<string>>

export type SettingName = keyof typeof nodeSettings
/** Every setting with its value: `config["num.partitions"]`. */
export type NodeConfig = { readonly [K in SettingName]: (typeof nodeSettings)[K] extends Setting<infer A> ? A : never }

export const defaultNodeConfig: NodeConfig = Object.fromEntries(Object.entries(nodeSettings).map(([name, setting]) => [name, setting.default])) as NodeConfig

/** A value's text did not fit its setting. The message names the setting, the text and what would fit. */
export interface ConfigFault {
  readonly name: string
  readonly message: string
}

/** Reads the text of one setting. */
export const parseSetting = (
  name: string,
  setting: Setting<number> | Setting<boolean> | Setting<string>,
  input: string
): Either.Either<number | boolean | string, ConfigFault> => {
  const value = input.trim()
  const wrong = (expected: string) => Either.left<ConfigFault>({ name, message: `${name}=${input}: expected ${expected}.` })
  switch (setting.type) {
    case "boolean":
      return /^(true|false)$/i.test(value) ? Either.right(value.toLowerCase() === "true") : wrong("true or false")
    case "int":
    case "long": {
      const number = /^-?\d{1,19}$/.test(value) ? Number(value) : Number.NaN
      const least = setting.min ?? Number.MIN_SAFE_INTEGER
      const most = setting.max ?? Number.MAX_SAFE_INTEGER
      // Java's Long.MAX_VALUE stands in many properties files for "no bound".
      if (setting.type === "long" && value === "9223372036854775807") return Either.right(Number.MAX_SAFE_INTEGER)
      return number >= least && number <= most ? Either.right(number) : wrong(`a whole number from ${least} to ${most}`)
    }
    case "string":
    case "list":
      if (setting.oneOf === undefined || setting.oneOf.includes(value)) return Either.right(value)
      return Either.mapLeft(wrong(setting.oneOf.join(" or ")), ({ message }) => ({
        name,
        message: setting.notBuilt === undefined ? message : `${message} ${setting.notBuilt}`
      }))
  }
}

/** The settings of a topic, by Kafka's names, and the node setting that gives each its default. What is not listed is refused by CreateTopics with INVALID_CONFIG. */
export const topicSettings = {
  "segment.bytes": "log.segment.bytes",
  "segment.ms": "log.roll.ms",
  "retention.ms": "log.retention.ms",
  "retention.bytes": "log.retention.bytes",
  "cleanup.policy": "log.cleanup.policy",
  "file.delete.delay.ms": "log.segment.delete.delay.ms",
  "index.interval.bytes": "log.index.interval.bytes",
  "segment.index.bytes": "log.index.size.max.bytes",
  "max.message.bytes": "message.max.bytes",
  "message.timestamp.type": "log.message.timestamp.type",
  "message.timestamp.before.max.ms": "log.message.timestamp.before.max.ms",
  "message.timestamp.after.max.ms": "log.message.timestamp.after.max.ms"
} as const satisfies Record<string, SettingName>
export type TopicSettingName = keyof typeof topicSettings
export type TopicConfig = { readonly [K in TopicSettingName]: NodeConfig[(typeof topicSettings)[K]] }

/** What holds for a topic: its own settings over the node's. Own values were checked when they were set; one that no longer reads falls back to the node's. */
export const topicConfig = (node: NodeConfig, own: Readonly<Record<string, string>>): TopicConfig =>
  Object.fromEntries(
    (Object.keys(topicSettings) as ReadonlyArray<TopicSettingName>).map((name) => {
      const base = topicSettings[name]
      const text = own[name]
      return [name, text === undefined ? node[base] : Either.getOrElse(parseSetting(name, nodeSettings[base], text), () => node[base])]
    })
  ) as TopicConfig
