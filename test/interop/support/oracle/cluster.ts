import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../../../src/protocol/message/10-find-coordinator.ts"
import { ApiVersions } from "../../../../src/protocol/message/18-api-versions.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../../../src/protocol/message/20-delete-topics.ts"
import { DescribeConfigs } from "../../../../src/protocol/message/32-describe-configs.ts"
import { CreatePartitions } from "../../../../src/protocol/message/37-create-partitions.ts"
import { DescribeCluster } from "../../../../src/protocol/message/60-describe-cluster.ts"
import { zeroUuid } from "../../../../src/protocol/type/wire.ts"
import { range, type Scenario, type Side } from "./side.ts"

export const apiVersions: Scenario = async (side) => {
  const software = { clientSoftwareName: "oracle", clientSoftwareVersion: "1" }
  await side.each("all", ApiVersions, range(0, 4), () => software)
  await side.raw("an unknown version", Buffer.from([0, 0, 0, 14, 0, 18, 0, 77, 0, 0, 0, 7, 0, 3, 114, 97, 119, 0]))
  await side.ask("no software", ApiVersions, 3, { clientSoftwareName: "", clientSoftwareVersion: "" })
  await side.ask("illegal software", ApiVersions, 3, { clientSoftwareName: "-x-", clientSoftwareVersion: "1 2" })
}

const unknownId = "AAAAAAAAAAAAAAAAAAAAZg"
export const metadata: Scenario = async (side) => {
  const id = await side.topic("known", 2)
  const off = { allowAutoTopicCreation: false }
  const creation = (version: number) => (version >= 4 ? off : {})
  await side.each("one", Metadata, range(0, 13), (version) => ({ topics: [{ name: "known" }], ...creation(version) }))
  await side.each("none", Metadata, range(1, 13), () => ({ topics: [] }))
  await side.each("unknown", Metadata, range(4, 13), () => ({ topics: [{ name: "nowhere" }], ...off }))
  await side.each("illegal", Metadata, [0, 1, 4, 9, 12], () => ({ topics: [{ name: "no where" }] }))
  await side.ask("empty name", Metadata, 12, { topics: [{ name: "" }], ...off })
  await side.ask("long name", Metadata, 12, { topics: [{ name: "n".repeat(250) }], ...off })
  await side.ask("long name, created", Metadata, 12, { topics: [{ name: "n".repeat(250) }] })
  await side.ask("dots", Metadata, 12, { topics: [{ name: ".." }] })
  await side.ask("twice", Metadata, 12, { topics: [{ name: "known" }, { name: "known" }], ...off })
  await side.ask("unknown twice", Metadata, 12, { topics: [{ name: "nowhere" }, { name: "nowhere" }], ...off })
  await side.each("by id", Metadata, [12, 13], () => ({ topics: [{ topicId: id, name: null }] }))
  await side.each("by id too early", Metadata, [10, 11], () => ({ topics: [{ topicId: id, name: null }] }))
  await side.each("by unknown id", Metadata, [12, 13], () => ({ topics: [{ topicId: unknownId, name: null }] }))
  await side.ask("by id and name", Metadata, 12, { topics: [{ topicId: id, name: "known" }] })
  await side.ask("by id and another name", Metadata, 12, { topics: [{ topicId: id, name: "other" }] })
  await side.ask("by id and by name", Metadata, 12, {
    topics: [
      { topicId: id, name: null },
      { topicId: zeroUuid, name: "known" }
    ]
  })
  await side.ask("by neither", Metadata, 12, { topics: [{ topicId: zeroUuid, name: null }] })
  await side.ask("null name v10", Metadata, 10, { topics: [{ topicId: zeroUuid, name: null }] })
  await side.ask("operations v8", Metadata, 8, {
    topics: [{ name: "known" }],
    includeClusterAuthorizedOperations: true,
    includeTopicAuthorizedOperations: true
  })
  await side.ask("operations v12", Metadata, 12, { topics: [{ name: "known" }], includeTopicAuthorizedOperations: true })
  await side.ask("operations of unknown", Metadata, 12, { topics: [{ name: "nowhere" }], includeTopicAuthorizedOperations: true, ...off })
  await side.call(Metadata, 4, { topics: [{ name: "made-on-the-way" }] })
  await side.led("made-on-the-way", 1)
  await side.ask("created on the way", Metadata, 9, { topics: [{ name: "made-on-the-way" }], ...off })
  await side.ask("colliding", Metadata, 9, { topics: [{ name: "made-on-the_way" }], ...off })
}

export const everyTopic: Scenario = async (side) => {
  await side.each("all", Metadata, [1, 5, 9, 12, 13], () => ({ topics: null }))
  await side.ask("all v0", Metadata, 0, { topics: [] })
}

const topic = (name: string, numPartitions = 1, replicationFactor = 1, more: object = {}) => ({
  name,
  numPartitions,
  replicationFactor,
  assignments: [],
  configs: [],
  ...more
})
type TopicRequest = ReturnType<typeof topic>
const create = async (side: Side, label: string, version: number, topics: ReadonlyArray<TopicRequest>, more: object = {}) => {
  const answer = await side.call(CreateTopics, version, { topics, timeoutMs: 30_000, ...more })
  for (const { name, topicId } of answer.topics) if (topicId !== zeroUuid) side.know(topicId, name)
  // Each lists the settings that it has: what is there is compared in the scenario of settings.
  side.note(label, { ...answer, topics: answer.topics.map((each) => ({ ...each, configs: each.configs === null ? null : each.configs.length > 0 })) })
}
const assigned = (...partitions: ReadonlyArray<readonly [index: number, ...brokers: ReadonlyArray<number>]>) => ({
  assignments: partitions.map(([partitionIndex, ...brokerIds]) => ({ partitionIndex, brokerIds }))
})
const set = (name: string, value: string | null) => ({ configs: [{ name, value }] })

export const createTopics: Scenario = async (side) => {
  for (const version of range(2, 7)) await create(side, `one v${version}`, version, [topic(`made-${version}`, 2)])
  for (const version of range(2, 7)) await create(side, `again v${version}`, version, [topic(`made-${version}`)])
  for (const version of [2, 5, 7]) await create(side, `checked v${version}`, version, [topic("checked", 3)], { validateOnly: true })
  await create(side, "checked, existing", 7, [topic("made-7")], { validateOnly: true })
  await create(side, "checked, with default counts", 7, [topic("checked", -1, -1)], { validateOnly: true })
  await create(side, "defaults", 7, [topic("defaults", -1, -1)])
  await create(side, "default counts v3", 3, [topic("defaults-3", -1, -1)])
  await create(side, "twice in one request", 7, [topic("twice"), topic("twice"), topic("beside")])
  await create(side, "no partitions", 7, [topic("none", 0)])
  await create(side, "minus two partitions", 7, [topic("none", -2)])
  await create(side, "no replicas", 7, [topic("none", 1, 0)])
  await create(side, "minus two replicas", 7, [topic("none", 1, -2)])
  await create(side, "two replicas", 7, [topic("none", 1, 2)])
  await create(side, "very many partitions", 7, [topic("none", 10_001)])
  for (const [label, name] of [
    ["empty", ""],
    ["with a space", "no where"],
    [".", "."],
    ["..", ".."],
    ["long", "n".repeat(250)],
    ["longest", "n".repeat(249)],
    ["umlaut", "gr\u00fcn"]
  ] as const)
    await create(side, `name: ${label}`, 7, [topic(name)])
  await create(side, "collision a", 7, [topic("a.b_c")])
  await create(side, "collision b", 7, [topic("a_b.c")])
  await create(side, "collision within a request", 7, [topic("x.y"), topic("x_y")])
  await create(side, "internal", 7, [topic("__cluster_metadata")])
  await create(side, "assigned", 7, [topic("assigned", -1, -1, assigned([0, 1], [1, 1]))])
  await create(side, "assigned, in any order", 7, [topic("assigned-2", -1, -1, assigned([1, 1], [0, 1]))])
  await create(side, "assigned, with a count", 7, [topic("assigned-3", 1, -1, assigned([0, 1]))])
  await create(side, "assigned, with replicas", 7, [topic("assigned-3", -1, 1, assigned([0, 1]))])
  await create(side, "assigned, a gap", 7, [topic("assigned-3", -1, -1, assigned([0, 1], [2, 1]))])
  await create(side, "assigned, not from 0", 7, [topic("assigned-3", -1, -1, assigned([1, 1]))])
  await create(side, "assigned, a partition twice", 7, [topic("assigned-3", -1, -1, assigned([0, 1], [0, 1]))])
  await create(side, "assigned, unknown broker", 7, [topic("assigned-3", -1, -1, assigned([0, 9]))])
  await create(side, "assigned, a broker twice", 7, [topic("assigned-3", -1, -1, assigned([0, 1, 1]))])
  await create(side, "assigned, no broker", 7, [topic("assigned-3", -1, -1, assigned([0]))])
  await create(side, "assigned, unequal", 7, [topic("assigned-3", -1, -1, assigned([0, 1], [1, 1, 9]))])
  await create(side, "assigned, negative broker", 7, [topic("assigned-3", -1, -1, assigned([0, -1]))])
  await create(side, "setting", 7, [topic("set", 1, 1, set("segment.bytes", "2000000"))])
  await create(side, "setting, unknown", 7, [topic("set-2", 1, 1, set("colour", "red"))])
  await create(side, "setting, wrong value", 7, [topic("set-2", 1, 1, set("segment.bytes", "many"))])
  await create(side, "setting, too small", 7, [topic("set-2", 1, 1, set("segment.bytes", "3"))])
  await create(side, "setting, null", 7, [topic("set-2", 1, 1, set("segment.bytes", null))])
  await create(side, "setting twice", 7, [
    topic("set-2", 1, 1, { configs: [...set("segment.bytes", "2000000").configs, ...set("segment.bytes", "3000000").configs] })
  ])
  await create(side, "setting, wrong type of time", 7, [topic("set-3", 1, 1, set("message.timestamp.type", "Never"))])
  await create(side, "setting, a list", 7, [topic("set-4", 1, 1, set("cleanup.policy", "compact"))])
  await create(side, "no topics", 7, [])
}

export const deleteTopics: Scenario = async (side) => {
  for (const version of range(1, 5)) await side.topic(`gone-${version}`)
  const ids = [await side.topic("gone-6"), await side.topic("gone-7"), await side.topic("stays"), await side.topic("gone-8")]
  await side.each("by name", DeleteTopics, range(1, 5), (version) => ({ topicNames: [`gone-${version}`], timeoutMs: 10_000 }))
  await side.each("unknown", DeleteTopics, range(1, 5), () => ({ topicNames: ["nowhere"], timeoutMs: 10_000 }))
  const remove = (label: string, topics: ReadonlyArray<{ readonly name: string | null; readonly topicId: string }>) =>
    side.ask(label, DeleteTopics, 6, { topics, timeoutMs: 10_000 })
  await remove("by name v6", [{ name: "gone-6", topicId: zeroUuid }])
  await remove("by id", [{ name: null, topicId: ids[1] ?? "" }])
  await remove("by id again", [{ name: null, topicId: ids[1] ?? "" }])
  await remove("by unknown id", [{ name: null, topicId: unknownId }])
  await remove("by neither", [{ name: null, topicId: zeroUuid }])
  await remove("by both", [{ name: "stays", topicId: ids[2] ?? "" }])
  await remove("twice by name", [
    { name: "stays", topicId: zeroUuid },
    { name: "stays", topicId: zeroUuid }
  ])
  await remove("twice by id", [
    { name: null, topicId: ids[2] ?? "" },
    { name: null, topicId: ids[2] ?? "" }
  ])
  await remove("by name and by id", [
    { name: "stays", topicId: zeroUuid },
    { name: null, topicId: ids[2] ?? "" }
  ])
  await remove("unknown v6", [{ name: "nowhere", topicId: zeroUuid }])
  await remove("illegal", [{ name: "no where", topicId: zeroUuid }])
  await remove("unknown twice", [
    { name: "nowhere", topicId: zeroUuid },
    { name: "nowhere", topicId: zeroUuid }
  ])
  await remove("one right, one wrong", [
    { name: "gone-8", topicId: zeroUuid },
    { name: "nowhere", topicId: zeroUuid }
  ])
  await remove("none", [])
  await side.ask("twice v4", DeleteTopics, 4, { topicNames: ["nowhere", "nowhere"], timeoutMs: 10_000 })
}

export const createPartitions: Scenario = async (side) => {
  await side.topic("grows", 2)
  await side.topic("grows-too", 1)
  const grow = (
    label: string,
    version: number,
    topics: ReadonlyArray<{ name: string; count: number; assignments?: ReadonlyArray<{ brokerIds: ReadonlyArray<number> }> | null }>,
    validateOnly = false
  ) => side.ask(label, CreatePartitions, version, { topics: topics.map((each) => ({ assignments: null, ...each })), timeoutMs: 10_000, validateOnly })
  for (const version of range(0, 3)) await grow(`more v${version}`, version, [{ name: "grows", count: 3 + version }])
  await grow("checked", 3, [{ name: "grows", count: 9 }], true)
  await grow("as many", 3, [{ name: "grows", count: 6 }])
  await grow("fewer", 3, [{ name: "grows", count: 1 }])
  await grow("zero", 3, [{ name: "grows", count: 0 }])
  await grow("negative", 3, [{ name: "grows", count: -1 }])
  await grow("unknown", 3, [{ name: "nowhere", count: 3 }])
  await grow("illegal", 3, [{ name: "no where", count: 3 }])
  await grow("empty name", 3, [{ name: "", count: 3 }])
  await grow("twice", 3, [
    { name: "grows", count: 7 },
    { name: "grows", count: 8 }
  ])
  await grow("one right, one wrong", 3, [
    { name: "grows-too", count: 2 },
    { name: "nowhere", count: 2 }
  ])
  await grow("assigned", 3, [{ name: "grows-too", count: 3, assignments: [{ brokerIds: [1] }] }])
  await grow("assigned, too few", 3, [{ name: "grows-too", count: 5, assignments: [{ brokerIds: [1] }] }])
  await grow("assigned, too many", 3, [{ name: "grows-too", count: 4, assignments: [{ brokerIds: [1] }, { brokerIds: [1] }] }])
  await grow("assigned, unknown broker", 3, [{ name: "grows-too", count: 4, assignments: [{ brokerIds: [7] }] }])
  await grow("assigned, no broker", 3, [{ name: "grows-too", count: 4, assignments: [{ brokerIds: [] }] }])
  await grow("assigned, two replicas", 3, [{ name: "grows-too", count: 4, assignments: [{ brokerIds: [1, 1] }] }])
  await grow("assigned, none", 3, [{ name: "grows-too", count: 4, assignments: [] }])
  await grow("nothing", 3, [])
}

export const coordinators: Scenario = async (side) => {
  await side.each("group", FindCoordinator, range(0, 3), () => ({ key: "g" }))
  await side.each("groups", FindCoordinator, range(4, 6), () => ({ coordinatorKeys: ["g", "h"], keyType: 0 }))
  await side.ask("empty group v3", FindCoordinator, 3, { key: "" })
  await side.ask("empty group v4", FindCoordinator, 4, { coordinatorKeys: [""] })
  await side.ask("a group twice", FindCoordinator, 4, { coordinatorKeys: ["g", "g"] })
  await side.ask("no keys", FindCoordinator, 4, { coordinatorKeys: [] })
  await side.each("unknown type", FindCoordinator, [1, 3], () => ({ key: "g", keyType: 9 }))
  await side.ask("unknown type v4", FindCoordinator, 4, { coordinatorKeys: ["g"], keyType: 9 })
  await side.ask("share group v5", FindCoordinator, 5, { coordinatorKeys: ["g:x:0"], keyType: 2 })
  await side.ask("share group v6, wrong key", FindCoordinator, 6, { coordinatorKeys: ["g"], keyType: 2 })
  await side.ask("negative type", FindCoordinator, 4, { coordinatorKeys: ["g"], keyType: -1 })
}

export const nodes: Scenario = async (side) => {
  await side.each("cluster", DescribeCluster, range(0, 2), () => ({ includeClusterAuthorizedOperations: false }))
  await side.ask("operations", DescribeCluster, 2, { includeClusterAuthorizedOperations: true })
  await side.ask("controllers", DescribeCluster, 1, { includeClusterAuthorizedOperations: false, endpointType: 2 })
  await side.ask("endpoint type 7", DescribeCluster, 1, { includeClusterAuthorizedOperations: false, endpointType: 7 })
  await side.ask("fenced too", DescribeCluster, 2, { includeClusterAuthorizedOperations: false, includeFencedBrokers: true })
}

export const settings: Scenario = async (side) => {
  await side.topic("settings", 1, { "segment.bytes": "2000000", "message.timestamp.type": "LogAppendTime" })
  const ask = (label: string, resourceType: number, resourceName: string, keys: ReadonlyArray<string> | null, more: object = {}, version = 4) =>
    side.ask(label, DescribeConfigs, version, { resources: [{ resourceType, resourceName, configurationKeys: keys }], ...more })
  const topicKeys = [
    "segment.bytes",
    "segment.ms",
    "max.message.bytes",
    "message.timestamp.type",
    "index.interval.bytes",
    "segment.index.bytes",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms"
  ]
  for (const version of range(1, 4)) await ask(`topic v${version}`, 2, "settings", topicKeys, {}, version)
  await ask("topic, synonyms", 2, "settings", topicKeys, { includeSynonyms: true })
  await ask("topic, documentation", 2, "settings", ["segment.bytes"], { includeDocumentation: true })
  await ask("topic, no keys", 2, "settings", [])
  await ask("topic, unknown key", 2, "settings", ["colour"])
  await ask("unknown topic", 2, "nowhere", null)
  await ask("illegal topic", 2, "no where", null)
  await ask("empty topic", 2, "", null)
  const nodeKeys = [
    "node.id",
    "num.partitions",
    "log.segment.bytes",
    "message.max.bytes",
    "auto.create.topics.enable",
    "delete.topic.enable",
    "group.min.session.timeout.ms",
    "log.message.timestamp.type",
    "default.replication.factor",
    "offset.metadata.max.bytes",
    "offsets.retention.minutes",
    "group.initial.rebalance.delay.ms",
    "fetch.max.bytes",
    "broker.session.timeout.ms"
  ]
  for (const version of [1, 4]) await ask(`node v${version}`, 4, "1", nodeKeys, {}, version)
  await ask("node, synonyms", 4, "1", nodeKeys, { includeSynonyms: true })
  await ask("another node", 4, "7", nodeKeys)
  await ask("node that is no number", 4, "one", nodeKeys)
  await ask("all nodes", 4, "", nodeKeys)
  await ask("type 0", 0, "x", null)
  await ask("type 3", 3, "x", null)
  await ask("loggers", 8, "1", ["no.such.logger"])
  await ask("loggers of another", 8, "7", null)
  await ask("client metrics", 16, "x", null)
  await ask("group", 32, "g", ["consumer.session.timeout.ms"])
  await side.ask("none", DescribeConfigs, 4, { resources: [] })
  const resource = { resourceType: 2, resourceName: "settings", configurationKeys: ["segment.bytes"] }
  await side.ask("the same twice", DescribeConfigs, 4, { resources: [resource, resource] })
}
