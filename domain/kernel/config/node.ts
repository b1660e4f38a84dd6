import { balancing } from "./balancing.ts"
import { connectionOverridesPattern } from "./connection-overrides.ts"
import { journal } from "./journal.ts"
import { quorum, replication } from "./known/cluster.ts"
import { groups, transactions } from "./known/groups.ts"
import { machinery, metrics } from "./known/machinery.ts"
import { plugins, security, securityTuning } from "./known/security.ts"
import { tiers } from "./known/tiers.ts"
import { listening, listeningLater } from "./listening.ts"
import { replicas } from "./replication.ts"
import { type AnySetting, bool, double, dynamic, int, list, long, type Setting, text, unbounded, withoutDefault, withoutEffect } from "./setting.ts"

const hourMs = 3_600_000
const weekMs = 168 * hourMs
const minuteMs = 60_000

const noTiers = "there is no tiered storage (docs/skipped.md)."
/** Codecs as `compression.type` names them. */
const validations = ["header", "records"] as const
const compressionTypes = ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"] as const

/** What the node holds at a time, and how it treats connections: most of it fixed when it starts. */
const node = {
  "log.open.files.max": int(
    0,
    0,
    "Files that logs have open at a time, all nodes of the process together; 0: five eighths of what the process may open, at most 32768; connections have the rest."
  ),
  "log.dirs": list("./data", "The directories that hold this node's data, with a comma between two; a new log goes where each has the most room."),
  "metadata.log.dir": withoutDefault(text("", "The directory of the leader's journal; empty: the first of log.dirs.")),
  "broker.rack": withoutDefault(text("", "The rack of this broker; empty: none.")),
  "num.partitions": int(1, 1, "Partitions of a topic that does not say how many.", 10_000),
  "auto.create.topics.enable": bool(true, "Whether a topic comes into being when a client asks for its metadata."),
  "delete.topic.enable": bool(true, "Whether topics can be removed."),
  "log.retention.check.interval.ms": long(300_000, 1, "How often logs are looked through for segments that may be deleted."),
  "log.scrub.interval.ms": long(604_800_000, 0, "How often all segments that are not written any more are read through for damage; 0: never."),
  "log.scrub.io.max.bytes.per.second": long(10_485_760, 4096, "Bytes that the look for damage reads in a second, at most."),
  "socket.request.max.bytes": int(104_857_600, 1, "Bytes that a request may have."),
  "max.connections": dynamic(
    int(10_000, 1, "Connections that are open at a time; more are closed. Links between nodes do not count, and 16 more are kept for this machine."),
    { min: 10, why: "clients and tools open several each" }
  ),
  "max.connections.per.ip": dynamic(
    int(
      2_147_483_647,
      0,
      "Connections of one address that are open at a time; more are closed. Links between nodes do not count, and 16 more are kept for this machine."
    )
  ),
  "max.connections.per.ip.overrides": dynamic({
    ...text("", "Addresses with another max.connections.per.ip, as ADDRESS:COUNT, with a comma between two."),
    form: { pattern: connectionOverridesPattern, expected: "a list of ADDRESS:COUNT, e.g. 192.0.2.1:100" }
  }),
  "connections.max.idle.ms": long(600_000, -1, "A connection without a request for so long is closed; -1: none is."),
  "max.in.flight.requests": int(1000, 1, "Requests of one connection that are worked on or wait, 16 MiB of them at most; reading stops there."),
  "queued.max.response.bytes": long(
    268_435_456,
    1_048_576,
    "Memory behind answers that clients have not read, all connections together, bytes. Over three quarters of it only clients that read get records; who reads nothing for ten seconds is closed."
  ),
  "franz.memory.request.budget.bytes": {
    ...long(
      0,
      16_777_216,
      "Memory that requests, their waits and answers hold, all connections of the process together, bytes; 0: a quarter of the memory, at most 536870912. When it is short, large requests are not read and the oldest waits are answered early; when it is full, connections are closed."
    ),
    also: 0
  },
  "franz.broker.partitions.max": {
    ...int(
      0,
      1,
      "Partitions that one broker may hold; 0: one for every 64 KiB of the leader's memory, at most 200000. A topic that would need more is refused.",
      200_000
    ),
    also: 0
  },
  "queued.max.request.bytes": {
    ...long(
      -1,
      1_048_576,
      "The part of franz.memory.request.budget.bytes that requests may hold, bytes; -1: all of it. A longer request than that is refused."
    ),
    also: -1
  },
  "fetch.max.bytes": int(57_671_680, 1024, "Bytes that a Fetch answer may have."),
  "max.incremental.fetch.session.cache.slots": int(1000, 0, "Fetch sessions (KIP-227) that are kept; 0: none are offered.", 1_000_000),
  "broker.session.timeout.ms": int(9000, 1, "A broker that is silent for this long is fenced."),
  "broker.heartbeat.interval.ms": int(2000, 1, "How often a broker says that it lives."),
  "metadata.snapshot.interval.events": int(10_000, 1, "Events after which the leader writes a snapshot of a stream, and a broker a checkpoint of its image."),
  "metadata.log.max.record.bytes.between.snapshots": long(
    20_971_520,
    1,
    "Bytes of events after which the leader writes a snapshot of the cluster's journal, also before metadata.snapshot.interval.events."
  ),
  "metadata.max.retention.bytes": {
    ...long(
      104_857_600,
      0,
      "Bytes of the cluster's journal that are kept behind the snapshot before the newest; -1: no bound. A journal in files is trimmed by segments of 16 MiB."
    ),
    also: -1
  },
  "metadata.max.retention.ms": {
    ...long(604_800_000, 0, "How long events of the cluster's journal are kept behind the snapshot before the newest, ms; -1: no bound."),
    also: -1
  }
}

/** Groups and producers. */
const clients = {
  "group.min.session.timeout.ms": int(6000, 1, "The shortest session timeout that a group's member may ask for."),
  "group.max.session.timeout.ms": int(1_800_000, 1, "The longest session timeout that a group's member may ask for."),
  "group.initial.rebalance.delay.ms": int(3000, 0, "How long an empty group waits for more members before its first rebalance."),
  "group.max.size": int(2_147_483_647, 1, "Members that a group may have."),
  "franz.group.name.max.bytes": int(
    255,
    1,
    "Bytes that the name of a group, of a static member, of an assignor or of a kind of group may have; longer names of members' clients are cut.",
    32_767
  ),
  "franz.group.max.bytes": int(
    4_194_304,
    65_536,
    "Bytes that a group may hold: names, what its members say to each other, assignments and offsets. A member that would be too much is told GROUP_MAX_SIZE_REACHED."
  ),
  "franz.groups.max.bytes": int(
    67_108_864,
    1_048_576,
    "Bytes that all groups may hold together. New groups have three quarters of it, so that the others can continue; a request beyond that gets COORDINATOR_NOT_AVAILABLE, and asks again."
  ),
  "franz.groups.max.count": int(100_000, 1, "Groups that there may be."),
  "offset.metadata.max.bytes": int(4096, 0, "Bytes of metadata that an offset commit may carry."),
  "offsets.retention.minutes": int(10_080, 1, "Minutes that the offsets of an empty group are kept."),
  "offsets.topic.num.partitions": int(4, 1, "Streams over which the groups are spread; fixed when the cluster is founded.", 1000),
  "offsets.topic.replication.factor": {
    ...int(
      3,
      1,
      "Replicas of each partition of __group_metadata, where franz.groups.engine is partitions; until as many brokers are unfenced the leader of the cluster coordinates the groups. With 1 it does so for ever: one copy in a broker is no better than that in its journal.",
      32_767
    ),
    type: "short" as const
  },
  "offsets.topic.segment.bytes": int(104_857_600, 1, "Bytes of a segment of __group_metadata."),
  "offsets.commit.timeout.ms": int(
    5000,
    1,
    "How long a broker that coordinates groups waits until all in-sync replicas have a change of a group; then it answers COORDINATOR_NOT_AVAILABLE."
  ),
  "franz.groups.engine": {
    ...text(
      "partitions",
      "Where the groups are coordinated. partitions: by the brokers, in the replicated topic __group_metadata, from the moment on when offsets.topic.replication.factor brokers are unfenced and every broker knows how; then the leader of the cluster hands its groups over, once and for good. leader: by the leader of the cluster, in its journal, unless the groups were handed over before."
    ),
    oneOf: ["leader", "partitions"]
  },
  "producer.id.expiration.ms": dynamic(int(86_400_000, 1, "A producer that was silent for this long is forgotten."))
}

/** How logs are cut into segments, and how long these are kept. */
const segments = {
  "log.segment.bytes": dynamic(int(1_073_741_824, 14, "A segment file is rolled before it grows over this many bytes."), {
    min: 16_384,
    why: "each batch of all topics would get files of its own"
  }),
  "log.roll.ms": dynamic<number>({
    ...long(weekMs, 1, "A segment file is rolled when its first record is this old. Goes before log.roll.hours."),
    noDefault: true,
    coarser: [["log.roll.hours", hourMs]]
  }),
  "log.roll.hours": int(168, 1, "A segment file is rolled when its first record is this many hours old; read where log.roll.ms is not set."),
  "log.roll.jitter.ms": dynamic<number>({
    ...long(0, 0, "Partitions roll up to this much earlier, each at its own time, so that not all roll at once. Goes before log.roll.jitter.hours."),
    noDefault: true,
    coarser: [["log.roll.jitter.hours", hourMs]]
  }),
  "log.roll.jitter.hours": int(0, 0, "Partitions roll up to this many hours earlier; read where log.roll.jitter.ms is not set."),
  "log.retention.ms": dynamic<number>({
    ...long(
      weekMs,
      -1,
      "How long records are kept, by the newest of a segment: -1 for ever. Goes before log.retention.minutes, and that before log.retention.hours."
    ),
    noDefault: true,
    coarser: [
      ["log.retention.minutes", minuteMs],
      ["log.retention.hours", hourMs]
    ]
  }),
  "log.retention.minutes": withoutDefault(int(10_080, -1, "How long records are kept, in minutes; read where log.retention.ms is not set.")),
  "log.retention.hours": int(168, -1, "How long records are kept, in hours; read where neither log.retention.ms nor log.retention.minutes is set."),
  "log.retention.bytes": dynamic(long(-1, -1, "Bytes that a partition keeps before its oldest segments are deleted; -1: no bound.")),
  "log.segment.delete.delay.ms": dynamic(long(60_000, 0, "How long the files of a deleted segment stay on the disk."), {
    max: 86_400_000,
    why: "files that are deleted meanwhile would fill the disk until then"
  }),
  "log.cleanup.policy": dynamic(
    list("delete", "What becomes of old segments: delete, compact (the last record of each key stays), both, or neither.", {
      oneOf: ["compact", "delete"]
    })
  ),
  "log.index.interval.bytes": dynamic(int(4096, 0, "Bytes of log between two entries of the offset index.")),
  "log.index.size.max.bytes": dynamic(int(10_485_760, 12, "Bytes that an index file may have."), {
    min: 1024,
    why: "a full index ends its segment, and each few batches would get files of their own"
  }),
  "log.preallocate": dynamic(withoutEffect(bool(false, "Whether a segment's file gets its whole size at once."), "files grow as they are written.")),
  "log.local.retention.ms": dynamic(withoutEffect(long(-2, -2, "How long records stay on the disk once they are in a second tier."), noTiers)),
  "log.local.retention.bytes": dynamic(withoutEffect(long(-2, -2, "Bytes that stay on the disk once they are in a second tier."), noTiers))
}

/** How compacted logs are kept. */
const cleaner = {
  "log.cleaner.enable": bool(true, "Whether compacted logs are compacted."),
  "log.cleaner.threads": dynamic(withoutEffect(int(1, 0, "Logs that are compacted at a time."), "one log is, in slices between other work.")),
  "log.cleaner.backoff.ms": dynamic(long(15_000, 0, "How long compaction rests when no log is due."), {
    max: 3_600_000,
    why: "another value holds only after the rest that has begun"
  }),
  "log.cleaner.dedupe.buffer.size": dynamic(
    long(134_217_728, 1024, "Memory for keys in a round of compaction, bytes; it takes 24 for a key, and no more than there are."),
    { max: 2_147_483_648, why: "the process could not have that much memory" }
  ),
  "log.cleaner.io.buffer.size": dynamic(int(524_288, 1024, "Bytes that compaction reads and writes at a time."), {
    max: 134_217_728,
    why: "the process could not have that much memory"
  }),
  "log.cleaner.io.buffer.load.factor": dynamic(double(0.9, 0.01, "How full the memory for keys may be.", 1)),
  "log.cleaner.io.max.bytes.per.second": dynamic(double(Number.MAX_VALUE, 1, "Bytes that compaction reads and writes in a second, at most."), {
    min: 65_536,
    why: "compaction would wait for days, and another value holds only after that"
  }),
  "log.cleaner.delete.retention.ms": dynamic(long(86_400_000, 0, "How long a compacted log keeps the mark that a key was deleted.")),
  "log.cleaner.min.compaction.lag.ms": dynamic(long(0, 0, "How long a record stays as it is before compaction may take it.")),
  "log.cleaner.max.compaction.lag.ms": dynamic(long(unbounded, 1, "After how long a record that can be compacted is, however little there is to gain.")),
  "log.cleaner.min.cleanable.ratio": dynamic(double(0.5, 0, "The part of a log that must be new since the last compaction before the next one begins.", 1))
}

/** Kafka's default for max.decompressed.message.bytes: the longest array of Java. */
export const decompressedBytesUnbounded = 2_147_483_639

/** What a record and its batch must be like, and in which form they are kept. */
const records = {
  "message.max.bytes": dynamic(int(1_048_588, 0, "Bytes that a record batch may have."), { min: 100, why: "no record would fit" }),
  "max.decompressed.message.bytes": dynamic(
    int(
      decompressedBytesUnbounded,
      1,
      "Bytes that one record of a compressed batch may decompress to; a batch with a larger one is refused with INVALID_RECORD."
    ),
    { min: 100, why: "no compressed record would fit" }
  ),
  "log.message.timestamp.type": dynamic(
    text("CreateTime", "Whether a record keeps its producer's time or gets the broker's.", ["CreateTime", "LogAppendTime"])
  ),
  "log.message.timestamp.before.max.ms": dynamic(long(unbounded, 0, "How far a record's time may be before the broker's.")),
  "log.message.timestamp.after.max.ms": dynamic(long(hourMs, 0, "How far a record's time may lie after the broker's.")),
  "franz.produce.validate": dynamic(
    text(
      "records",
      "What the broker looks at before it takes a batch: records, every one of them, for which it decompresses the batch, as Kafka does; header, the header and the checksum, and what a producer put inside is found by the consumers. Settings that need the records (compression.type, compaction, bounds of time) look at them all the same.",
      validations
    )
  ),
  "compression.type": dynamic(
    text(
      "producer",
      "The codec in which batches are kept: the producer's, uncompressed, or this one. Any but producer compresses each batch anew, on the thread that serves all connections.",
      compressionTypes
    )
  ),
  "compression.gzip.level": dynamic<number>({
    ...int(-1, 1, "How hard gzip tries where compression.type=gzip; -1: its own default. High levels hold up every other request.", 9),
    also: -1
  }),
  "compression.lz4.level": dynamic(
    withoutEffect(int(9, 1, "How hard lz4 tries where compression.type=lz4.", 17), "lz4 is written at its fastest level alone.")
  ),
  "compression.zstd.level": dynamic(int(3, -131_072, "How hard zstd tries where compression.type=zstd. High levels hold up every other request.", 22)),
  "log.flush.policy": text(
    "ack",
    "When acks=all is answered: ack, when the records are on the disk; interval, before that, and a power cut takes what was acknowledged since the last sync. interval is unsafe.",
    ["ack", "interval"]
  ),
  "log.flush.interval.messages": dynamic(
    long(
      unbounded,
      1,
      "Records after which a log is synced to the disk in the background; acks=all waits for the disk by log.flush.policy, whatever this says."
    )
  ),
  "log.flush.interval.ms": dynamic<number>({
    ...long(
      unbounded,
      0,
      "Time after which a log is synced to the disk in the background, looked at once a second; with log.flush.policy=interval a second where it is not set."
    ),
    noDefault: true
  })
}

/** A node's settings, leader and broker alike, by Kafka's server.properties names. */
const nodeSettings = {
  ...listening,
  ...journal,
  ...node,
  ...segments,
  ...cleaner,
  ...records,
  ...balancing,
  ...replicas,
  ...clients,
  ...listeningLater,
  ...machinery,
  ...metrics,
  ...quorum,
  ...replication,
  ...groups,
  ...transactions,
  ...tiers,
  ...securityTuning,
  ...security,
  ...plugins
} as const satisfies Record<string, AnySetting>

export type SettingName = keyof typeof nodeSettings
/** Every setting with its value: `config["num.partitions"]`. */
export type NodeConfig = { readonly [K in SettingName]: (typeof nodeSettings)[K] extends Setting<infer A> ? A : never }

export const nodeSettingNames = Object.keys(nodeSettings) as ReadonlyArray<SettingName>
export const isNodeSetting = (name: string): name is SettingName => Object.hasOwn(nodeSettings, name)
export const nodeSetting = (name: SettingName): AnySetting => nodeSettings[name]

export const defaultNodeConfig: NodeConfig = Object.fromEntries(Object.entries(nodeSettings).map(([name, setting]) => [name, setting.default])) as NodeConfig
