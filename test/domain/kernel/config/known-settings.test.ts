import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Either } from "effect"
import { loadConfig } from "../../../../domain/kernel/config/properties.ts"
import {
  type AnySetting,
  isNodeSetting,
  isTopicSetting,
  nodeSetting,
  removedSettings,
  resourceSettings,
  textOf,
  topicSettings
} from "../../../../domain/kernel/config.ts"

/**
 * Kafka's own definition of each setting: name, type, default, whether it can be changed while a broker runs.
 */
const rows = readFileSync(join(import.meta.dir, "data/kafka-4.3-settings.tsv"), "utf8")
  .trim()
  .split("\n")
  .slice(1)
  .map((line) => line.split("\t"))
  .map(([kind = "", name = "", type = "", at = "", mode = "", internal = ""]) => ({
    kind,
    name,
    type: type.toLowerCase(),
    at: at === "\\N" ? null : at,
    mode,
    internal
  }))
const ofKind = (kind: string) => rows.filter((row) => row.kind === kind)

const started = (name: string, value: string) => loadConfig([{ name, value, from: "file:1" }])
const fault = (name: string, value: string) => Either.match(started(name, value), { onLeft: ([first]) => first?.message ?? "", onRight: () => "" })
const defaultOf = (setting: AnySetting) => (setting.noDefault === true ? null : textOf(setting, setting.default))

/** Settings whose default differs from Kafka's, and why. */
const otherDefaults: Readonly<Record<string, string>> = {
  listeners: "127.0.0.1 alone, unless the operator says otherwise",
  "log.dir": "./data",
  "log.dirs": "./data",
  "max.connections": "a bound that memory can hold",
  "offsets.topic.num.partitions": "streams of the journal, not partitions"
}
/** Settings that are dynamic in Kafka and read at the start here, or the reverse. */
const otherModes = new Set(["listeners", "listener.security.protocol.map"])

describe("every setting of Kafka's brokers", () => {
  test("there are 360 of them in the table", () => expect(ofKind("broker")).toHaveLength(360))
  test.each(ofKind("broker"))("$name is known, with Kafka's type, default and way to change it", ({ at, internal, mode, name, type }) => {
    if (!isNodeSetting(name)) throw new Error(`${name} is not known`)
    const setting = nodeSetting(name)
    expect(setting.type).toBe(type as AnySetting["type"])
    if (otherDefaults[name] === undefined) expect(defaultOf(setting)).toBe(at)
    if (!otherModes.has(name)) expect([setting.dynamic === true, setting.perBroker === true]).toEqual([mode !== "read-only", mode === "per-broker"])
    expect(setting.hidden === true).toBe(internal === "internal")
    expect(setting.doc).not.toBe("")
  })
  test("a node starts with the default of each, except of those that are not built", () => {
    const refused = ofKind("broker").filter(({ at, name }) => at !== null && otherDefaults[name] === undefined && fault(name, at) !== "")
    expect(refused.map(({ name }) => name)).toEqual(
      ["controller.quorum.bootstrap.servers", "controller.quorum.voters"].filter((name) => fault(name, "") !== "")
    )
  })
})

describe("every setting of Kafka's topics", () => {
  test.each(ofKind("topic").filter(({ internal }) => internal === ""))("$name is known, with Kafka's type and default", ({ at, name, type }) => {
    if (!isTopicSetting(name)) throw new Error(`${name} is not known`)
    const { base, setting } = topicSettings[name]
    expect(setting.type).toBe(type as AnySetting["type"])
    expect(base === undefined ? defaultOf(setting) : textOf(setting, setting.default)).toBe(at ?? "")
  })
  test.each(["errors.deadletterqueue.group.enable", "max.decompressed.message.bytes", "remote.copy.lag.ms", "remote.copy.lag.bytes"])(
    "Kafka 4.4: %s is known",
    (name) => expect(isTopicSetting(name)).toBe(true)
  )
})

describe.each(["group", "client-metrics"] as const)("every setting of Kafka's %ss", (kind) => {
  test.each(ofKind(kind))("$name is known, with Kafka's type and default", ({ at, name, type }) => {
    const found = resourceSettings(kind).get(name)
    if (found === undefined) throw new Error(`${name} is not known`)
    expect([found.setting.type, defaultOf(found.setting)]).toEqual([type as AnySetting["type"], at ?? ""])
    if (found.base !== undefined) expect(textOf(nodeSetting(found.base), nodeSetting(found.base).default)).toBe(at ?? "")
  })
})

describe("settings without effect in a file", () => {
  test("are reported in one line", () => {
    const file = [
      "num.io.threads=8",
      "num.network.threads=3",
      "zookeeper.connect=localhost:2181",
      "inter.broker.protocol.version=2.8",
      "host.name=a",
      "confluent.license=x"
    ]
    const loaded = Either.getOrThrow(loadConfig(file.map((line) => ({ name: line.split("=")[0] ?? "", value: line.split("=")[1] ?? "", from: "f" }))))
    expect(loaded.warnings).toEqual([
      "settings without effect here: num.io.threads, num.network.threads, zookeeper.connect (there is no ZooKeeper), inter.broker.protocol.version (Kafka 4 has it no more), host.name (listeners says it), confluent.license (no Java class reads it); docs/settings.md says why"
    ])
  })
  test.each(Object.keys(removedSettings))("%s, which Kafka had before version 4, starts a node", (name) => expect(fault(name, "1")).toBe(""))
  test("a misspelt name is an error that names the nearest setting", () => {
    expect(fault("num.netwrok.threads", "3")).toBe("file:1: there is no setting 'num.netwrok.threads'. Did you mean 'num.network.threads'?")
    expect(fault("zookeper.connect", "a:1")).toContain("there is no setting 'zookeper.connect'.")
  })
  test("a value that Kafka would not take is an error", () => {
    expect(fault("num.io.threads", "0")).toContain("num.io.threads=0: expected a whole number from 1")
    expect(fault("offsets.topic.replication.factor", "40000")).toContain("expected a whole number from 1 to 32767")
    expect(fault("group.consumer.migration.policy", "never")).toContain("expected DISABLED or DOWNGRADE")
  })
})

describe("settings that require security", () => {
  test.each([
    ["ssl.keystore.location", "/k"],
    ["ssl.client.auth", "required"],
    ["sasl.enabled.mechanisms", "PLAIN"],
    ["sasl.jaas.config", "x required;"],
    ["authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"],
    ["super.users", "User:admin"],
    ["allow.everyone.if.no.acl.found", "false"],
    ["connections.max.reauth.ms", "1000"],
    ["config.providers", "file"],
    ["create.topic.policy.class.name", "a.B"],
    ["client.quota.callback.class", "a.B"],
    ["remote.log.storage.system.enable", "true"],
    ["listener.name.external.ssl.keystore.location", "/k"],
    ["listener.name.external.scram-sha-256.sasl.jaas.config", "x required;"]
  ])("%s=%s fails the start with the reason", (name, value) => expect(fault(name, value)).toMatch(/docs\/skipped\.md|loads no Java classes/))
  test.each([
    ["ssl.client.auth", "none"],
    ["sasl.enabled.mechanisms", "GSSAPI"],
    ["authorizer.class.name", ""],
    ["super.users", ""],
    ["allow.everyone.if.no.acl.found", "true"],
    ["connections.max.reauth.ms", "0"],
    ["ssl.enabled.protocols", "TLSv1.3"],
    ["security.inter.broker.protocol", "PLAINTEXT"],
    ["listener.name.external.max.connections", "10"],
    ["listener.name.external.ssl.client.auth", "none"]
  ])("%s=%s requires none", (name, value) => expect(fault(name, value)).toBe(""))
})

describe("older names", () => {
  const config = (lines: ReadonlyArray<string>) =>
    loadConfig(lines.map((line) => ({ name: line.split("=")[0] ?? "", value: line.split("=")[1] ?? "", from: "f" })))
  test("broker.id and log.dir are aliases of node.id and log.dirs", () => {
    expect(Either.getOrThrow(config(["broker.id=7", "log.dir=/a"])).config).toMatchObject({ "node.id": 7, "log.dirs": "/a" })
    expect(Either.getOrThrow(config(["broker.id=-1"])).config["node.id"]).toBe(0)
    expect(Either.getOrThrow(config(["log.dir=/a", "log.dirs=/b"])).config["log.dirs"]).toBe("/b")
  })
  test("two ids of one node are refused", () => expect(Either.isLeft(config(["broker.id=1", "node.id=2"]))).toBe(true))
})
