import { nodeSettingNames } from "../../../../domain/kernel/config.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import { DescribeConfigs } from "../../../../src/protocol/message/32-describe-configs.ts"
import { AlterConfigs } from "../../../../src/protocol/message/33-alter-configs.ts"
import { IncrementalAlterConfigs } from "../../../../src/protocol/message/44-incremental-alter-configs.ts"
import { until } from "../process.ts"
import type { Scenario, Side } from "./side.ts"

const topic = 2
const node = 4
const everything = { includeSynonyms: true, includeDocumentation: true }
type Setting = readonly [name: string, value: string]

const wanted = (resourceType: number, resourceName: string, keys: ReadonlyArray<string> | null) => ({
  resources: [{ resourceType, resourceName, configurationKeys: keys }],
  ...everything
})
const setting = (resourceType: number, resourceName: string, settings: ReadonlyArray<readonly [string, string | null]>, configOperation = 0) => ({
  resources: [{ resourceType, resourceName, configs: settings.map(([name, value]) => ({ name, value, configOperation })) }],
  validateOnly: false
})
/** A node applies a changed setting after a short delay. */
const followed = async (side: Side, resourceType: number, resourceName: string, [name, value]: Setting, source: number): Promise<void> => {
  await until(`${resourceName} has ${name}=${value}`, async () => {
    const { results } = await side.call(DescribeConfigs, 4, wanted(resourceType, resourceName, [name]))
    return results[0]?.configs.some((each) => each.value === value && each.configSource === source) ?? false
  })
}

/** Each of a topic's settings with a value that is not its default. */
const settings: ReadonlyArray<Setting> = [
  ["compression.type", "lz4"],
  ["compression.gzip.level", "9"],
  ["compression.lz4.level", "17"],
  ["compression.zstd.level", "-131072"],
  ["delete.retention.ms", "5"],
  ["file.delete.delay.ms", "0"],
  ["follower.replication.throttled.replicas", "*"],
  ["index.interval.bytes", "0"],
  ["leader.replication.throttled.replicas", "0:1,1:2"],
  ["local.retention.bytes", "5"],
  ["local.retention.ms", "-2"],
  ["max.compaction.lag.ms", "10000"],
  ["max.message.bytes", "077"],
  ["message.timestamp.after.max.ms", "+5"],
  ["message.timestamp.before.max.ms", " 5 "],
  ["message.timestamp.type", "LogAppendTime"],
  ["min.cleanable.dirty.ratio", "1"],
  ["min.compaction.lag.ms", "10000"],
  ["min.insync.replicas", "2"],
  ["preallocate", "TRUE"],
  ["remote.log.copy.disable", "true"],
  ["remote.log.delete.on.disable", "true"],
  ["remote.storage.enable", "false"],
  ["retention.bytes", "0"],
  ["retention.ms", "-1"],
  ["segment.bytes", "1048576"],
  ["segment.index.bytes", "1000"],
  ["segment.jitter.ms", "5"],
  ["segment.ms", "9223372036854775807"],
  ["unclean.leader.election.enable", "true"]
]

export const topicsDescribed: Scenario = async (side) => {
  await side.topic("described-plain")
  await side.ask("what a topic has", DescribeConfigs, 4, wanted(topic, "described-plain", null))
  await side.topic("described-own", 1, Object.fromEntries(settings))
  for (const [name] of settings) await side.ask(`own ${name}`, DescribeConfigs, 4, wanted(topic, "described-own", [name]))
  await side.topic("described-changed")
  for (const [name, value] of settings) await side.ask(`${name}=${value}`, IncrementalAlterConfigs, 1, setting(topic, "described-changed", [[name, value]]))
  await followed(side, topic, "described-changed", ["unclean.leader.election.enable", "true"], 1)
  await side.ask("all changed", DescribeConfigs, 4, wanted(topic, "described-changed", null))
  for (const [name] of settings) await side.ask(`${name} unset`, IncrementalAlterConfigs, 1, setting(topic, "described-changed", [[name, null]], 1))
  await followed(side, topic, "described-changed", ["unclean.leader.election.enable", "false"], 5)
  await side.ask("all unset", DescribeConfigs, 4, wanted(topic, "described-changed", null))
}

/** Values at a bound, beyond it, and malformed ones. */
const odd: ReadonlyArray<Setting> = [
  ["cleanup.policy", "none"],
  ["cleanup.policy", ""],
  ["cleanup.policy", "delete,none"],
  ["compression.type", "GZIP"],
  ["compression.type", "none"],
  ["compression.gzip.level", "0"],
  ["compression.gzip.level", "-1"],
  ["compression.gzip.level", "10"],
  ["compression.lz4.level", "0"],
  ["compression.lz4.level", "18"],
  ["compression.zstd.level", "23"],
  ["compression.zstd.level", "-131073"],
  ["delete.retention.ms", "-1"],
  ["file.delete.delay.ms", "-1"],
  ["flush.messages", "0"],
  ["flush.ms", "-1"],
  ["follower.replication.throttled.replicas", "0:1,*"],
  ["index.interval.bytes", "-1"],
  ["leader.replication.throttled.replicas", "0"],
  ["leader.replication.throttled.replicas", ""],
  ["local.retention.bytes", "-3"],
  ["local.retention.ms", "-3"],
  ["max.compaction.lag.ms", "0"],
  ["max.message.bytes", "-1"],
  ["max.message.bytes", "2147483648"],
  ["message.format.version", "3.0"],
  ["message.timestamp.after.max.ms", "-1"],
  ["message.timestamp.before.max.ms", "-1"],
  ["message.timestamp.type", "createtime"],
  ["min.cleanable.dirty.ratio", "1.5"],
  ["min.cleanable.dirty.ratio", "-0.1"],
  ["min.cleanable.dirty.ratio", "half"],
  ["min.compaction.lag.ms", "-1"],
  ["min.insync.replicas", "0"],
  ["preallocate", "yes"],
  ["remote.storage.enable", "true"],
  ["retention.bytes", "-5"],
  ["retention.bytes", "1e3"],
  ["retention.ms", "-2"],
  ["retention.ms", "9223372036854775807"],
  ["retention.ms", "9223372036854775808"],
  ["retention.ms", ""],
  ["retention.ms", "1.5"],
  ["segment.bytes", "1048575"],
  ["segment.bytes", "13"],
  ["segment.index.bytes", "3"],
  ["segment.jitter.ms", "-1"],
  ["segment.ms", "0"],
  ["unclean.leader.election.enable", "1"]
]

export const oddValues: Scenario = async (side) => {
  await side.topic("odd")
  for (const [name, value] of odd)
    await side.ask(`${name}=${value}`, IncrementalAlterConfigs, 1, { ...setting(topic, "odd", [[name, value]]), validateOnly: true })
  await side.ask("two that contradict each other", IncrementalAlterConfigs, 1, {
    ...setting(topic, "odd", [
      ["min.compaction.lag.ms", "100"],
      ["max.compaction.lag.ms", "50"]
    ]),
    validateOnly: true
  })
  for (const [name, value] of [odd[0], odd[3], odd[38], odd[46]] as ReadonlyArray<Setting>)
    await side.ask(`created with ${name}=${value}`, CreateTopics, 7, {
      topics: [{ name: "odd-created", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{ name, value }] }],
      timeoutMs: 30_000,
      validateOnly: true
    })
}

/** One by one: where a node has more settings than the other, the rest can still be compared. */
export const nodesDescribed: Scenario = async (side) => {
  for (const name of nodeSettingNames) await side.ask(name, DescribeConfigs, 4, wanted(node, "1", [name]))
}

const layered = ["log.retention.ms", "log.retention.bytes", "message.max.bytes", "log.cleanup.policy"]
const below = ["retention.ms", "retention.bytes", "max.message.bytes", "cleanup.policy"]

export const nodesChanged: Scenario = async (side) => {
  await side.topic("layers", 1, { "max.message.bytes": "3000000" })
  const change = (label: string, of: string, settings: ReadonlyArray<readonly [string, string | null]>, operation = 0) =>
    side.ask(label, IncrementalAlterConfigs, 1, setting(node, of, settings, operation))
  const replace = (label: string, of: string, settings: Readonly<Record<string, string | null>>) =>
    side.ask(label, AlterConfigs, 2, {
      resources: [{ resourceType: node, resourceName: of, configs: Object.entries(settings).map(([name, value]) => ({ name, value })) }],
      validateOnly: false
    })
  const show = async (label: string): Promise<void> => {
    await side.ask(`${label}, the node`, DescribeConfigs, 4, wanted(node, "1", layered))
    await side.ask(`${label}, all nodes`, DescribeConfigs, 4, wanted(node, "", layered))
    await side.ask(`${label}, a topic`, DescribeConfigs, 4, wanted(topic, "layers", below))
  }
  await show("at first")
  await change("for all", "", [
    ["log.retention.ms", "5000000"],
    ["log.retention.bytes", "1000000000"]
  ])
  await change("for one", "1", [
    ["log.retention.ms", "6000000"],
    ["message.max.bytes", "2000000"]
  ])
  await followed(side, node, "1", ["message.max.bytes", "2000000"], 2)
  await followed(side, node, "1", ["log.retention.bytes", "1000000000"], 3)
  await show("set")
  await change("unset for one", "1", [["log.retention.ms", null]], 1)
  await followed(side, node, "1", ["log.retention.ms", "5000000"], 3)
  await show("unset for one")
  await change("what a node starts with", "1", [["node.id", "5"]])
  await change("what a node starts with, unset", "1", [["num.partitions", null]], 1)
  await change("right and wrong together", "1", [
    ["message.max.bytes", "7"],
    ["node.id", "5"]
  ])
  await change("out of range", "1", [["message.max.bytes", "-1"]])
  await change("out of range for all", "", [["message.max.bytes", "-1"]])
  await change("no number", "1", [["log.roll.ms", "soon"]])
  await change("no value", "1", [["log.roll.ms", null]])
  await change("unknown", "1", [["no.such", "1"]])
  await change("unknown, unset", "1", [["no.such", null]], 1)
  await change("appended to a number", "1", [["log.roll.ms", "1"]], 2)
  await change("appended to a list", "1", [["log.cleanup.policy", "delete"]], 2)
  await change("unknown operation", "1", [["log.roll.ms", "1"]], 9)
  await change("another node", "9", [["log.roll.ms", "5"]])
  await change("no node", "one", [["log.roll.ms", "5"]])
  await change("twice", "1", [
    ["log.roll.ms", "5"],
    ["log.roll.ms", "6"]
  ])
  await change("nothing", "1", [])
  await replace("replaced", "1", { "log.retention.bytes": "2000000000" })
  await followed(side, node, "1", ["log.retention.bytes", "2000000000"], 2)
  await followed(side, node, "1", ["message.max.bytes", "1048588"], 5)
  await show("replaced")
  await replace("replaced, no value", "1", { "log.retention.bytes": null })
  await replace("replaced by what a node starts with", "1", { "node.id": "7" })
  await replace("replaced by nothing", "1", {})
  await change(
    "unset for all",
    "",
    [
      ["log.retention.ms", null],
      ["log.retention.bytes", null]
    ],
    1
  )
  await followed(side, node, "1", ["log.retention.bytes", "-1"], 5)
  await show("in the end")
}
