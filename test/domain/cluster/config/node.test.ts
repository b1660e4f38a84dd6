import { describe, expect, test } from "bun:test"
import { Command, type ConfigChange } from "../../../../domain/cluster/command.ts"
import { ignoredSettings, liveNodeConfig, nodeConfigsOf } from "../../../../domain/cluster/config/node.ts"
import { NodeConfigsChanged } from "../../../../domain/cluster/event.ts"
import { evolve } from "../../../../domain/cluster/evolve.ts"
import { fromSnapshot, toSnapshot } from "../../../../domain/cluster/snapshot.ts"
import { defaultNodeConfig, topicConfig } from "../../../../domain/kernel/config.ts"
import { fold } from "../../../../domain/kernel/decider.ts"
import { afterCommands, eventsOf, givenCluster, up } from "../support.ts"

const set = (name: string, value: string | null): ConfigChange => ({ name, operation: "set", value })
const unset = (name: string): ConfigChange => ({ name, operation: "delete", value: null })
const change = (node: string, changes: ReadonlyArray<ConfigChange>, more: { readonly replace?: boolean; readonly validateOnly?: boolean } = {}): Command =>
  Command.ChangeNodeConfigs({ node, changes, replace: false, validateOnly: false, ...more })
const before = up(2)
const after = (...commands: ReadonlyArray<Command>) => afterCommands(before, ...commands)

describe("given a cluster with nodes 1 and 2", () => {
  test("when a setting is set for one node, then the other node does not have it", () => {
    const cluster = after(change("1", [set("log.retention.ms", "5000")]))
    expect([1, 2, null].map((node) => nodeConfigsOf(cluster, node))).toEqual([{ "log.retention.ms": "5000" }, {}, {}])
  })
  test("when it is deleted, then neither the state nor a snapshot has it", () => {
    const cluster = after(change("1", [set("log.retention.ms", "5000")]), change("1", [unset("log.retention.ms")]))
    expect(toSnapshot(cluster)).toEqual({ ...toSnapshot(before), index: cluster.index })
  })
  test("a snapshot keeps them", () => {
    const cluster = after(change("2", [set("message.max.bytes", "700")]), change("", [set("log.segment.bytes", "2000000")]))
    const again = fromSnapshot(toSnapshot(cluster))
    expect([2, null].map((node) => nodeConfigsOf(again, node))).toEqual([{ "message.max.bytes": "700" }, { "log.segment.bytes": "2000000" }])
    expect(toSnapshot(again)).toEqual(toSnapshot(cluster))
  })
  test("a topic's setting takes precedence over the node's, that over the one of all nodes, that over the file's", () => {
    const start = { ...defaultNodeConfig, "log.retention.ms": 1, "log.retention.bytes": 1, "message.max.bytes": 100, "log.roll.ms": 1 }
    const all = ["log.retention.bytes", "message.max.bytes", "log.roll.ms"].map((name) => set(name, "200"))
    const one = ["message.max.bytes", "log.roll.ms"].map((name) => set(name, "300"))
    const cluster = after(change("", all), change("1", one))
    const topicOn = (node: number) => topicConfig(liveNodeConfig(start, () => cluster, node)(), { "segment.ms": "4" })
    expect(topicOn(1)).toMatchObject({ "retention.ms": 1, "retention.bytes": 200, "max.message.bytes": 300, "segment.ms": 4 })
    expect(topicOn(2)).toMatchObject({ "retention.ms": 1, "retention.bytes": 200, "max.message.bytes": 200, "segment.ms": 4 })
  })
  test("the effective settings are computed again only when a setting has changed", () => {
    let cluster = before
    const config = liveNodeConfig(defaultNodeConfig, () => cluster, 1)
    const first = config()
    cluster = { ...before, index: before.index + 1 }
    expect(config()).toBe(first)
    cluster = after(change("1", [set("message.max.bytes", "900")]))
    expect(config()["message.max.bytes"]).toBe(900)
  })
})

describe("given a journal in which an earlier version accepted a setting that no node can apply", () => {
  const journal = (nodeId: number | null, configs: Record<string, string>) => [new NodeConfigsChanged({ nodeId: nodeId as never, configs })]
  const bad = { "max.connections": "1", "message.max.bytes": "0", "log.retention.ms": "7", "gone.in.this.version": "x" }
  const cluster = fold(evolve, fold(evolve, before, journal(null, bad)), journal(1, { "max.connections": "0", "log.retention.ms": "5" }))

  test("it is ignored with a log line, and the valid settings are effective", () => {
    const {
      "log.retention.ms": retentionMs,
      "max.connections": connectionsMax,
      "message.max.bytes": bytesMax
    } = liveNodeConfig(defaultNodeConfig, () => cluster, 1)()
    expect([connectionsMax, bytesMax, retentionMs]).toEqual([10_000, 1_048_588, 5])
    expect(ignoredSettings(cluster, 1).toSorted()).toEqual([
      "gone.in.this.version: there is no such setting. What was set for all nodes is ignored.",
      expect.stringMatching(/^max.connections=0: .* node 1 is ignored.$/),
      expect.stringMatching(/^max.connections=1: .* all nodes is ignored.$/),
      expect.stringMatching(/^message.max.bytes=0: .* all nodes is ignored.$/)
    ])
  })
  test("it prevents no other change, and can be unset", () => {
    const changed = afterCommands(cluster, change("", [set("log.roll.ms", "5000"), unset("max.connections")]))
    expect(nodeConfigsOf(changed, null)).toEqual({ "message.max.bytes": "0", "log.retention.ms": "7", "gone.in.this.version": "x", "log.roll.ms": "5000" })
  })
})

describe("refused changes", () => {
  test.each<[string, string, ReadonlyArray<ConfigChange>, string]>([
    ["INVALID_CONFIG", "1", [set("log.roll.ms", "0")], "log.roll.ms=0: expected a whole number from 1"],
    ["INVALID_CONFIG", "", [set("max.connections", "1")], "max.connections=1: expected a whole number from 10 to 2147483647, while the node runs"],
    ["INVALID_CONFIG", "2", [set("message.max.bytes", "0")], "no record would fit"],
    ["INVALID_CONFIG", "", [set("log.segment.delete.delay.ms", "9223372036854775807")], "would fill the disk"],
    ["INVALID_CONFIG", "1", [set("max.connections.per.ip.overrides", "example.org")], "expected a list of ADDRESS:COUNT"],
    ["INVALID_CONFIG", "", [set("log.retention.bytes", "x")], "log.retention.bytes=x: expected a whole number from -1"],
    ["INVALID_CONFIG", "1", [set("log.retention.sm", "1")], "Did you mean 'log.retention.ms'?"],
    ["INVALID_CONFIG", "1", [{ name: "log.roll.ms", operation: "append", value: "1" }], "its type is not LIST"],
    ["INVALID_REQUEST", "1", [set("num.partitions", "5")], "Cannot update these configs dynamically: [num.partitions]"],
    ["INVALID_REQUEST", "1", [set("message.max.bytes", "5"), set("node.id", "5")], "Cannot update these configs dynamically: [node.id]"],
    ["INVALID_REQUEST", "9", [set("log.roll.ms", "5")], "no node 9"],
    ["INVALID_REQUEST", "one", [set("log.roll.ms", "5")], "must be an integer"],
    ["INVALID_REQUEST", "1", [set("log.roll.ms", null)], "Null value not supported"],
    ["INVALID_REQUEST", "1", [set("log.roll.ms", "5"), unset("log.roll.ms")], "duplicate"]
  ])("%s for %j: %j", (error, node, changes, said) => {
    const rejection = givenCluster(before).rejection(change(node, changes))
    expect(rejection?.error).toBe(error as never)
    expect(rejection?.message).toContain(said)
  })
  test("validateOnly gives no event", () => expect(eventsOf(before, change("1", [set("log.roll.ms", "5")], { validateOnly: true }))).toEqual([]))
})
