import { describe, expect, test } from "bun:test"
import { allConfigCharactersMax } from "../../../../domain/cluster/bounds.ts"
import { Command, type ConfigChange } from "../../../../domain/cluster/command.ts"
import { fromSnapshot, toSnapshot } from "../../../../domain/cluster/snapshot.ts"
import { topicByName } from "../../../../domain/cluster/state.ts"
import { addTopic, afterCommands, eventsOf, givenCluster, topicId, up } from "../support.ts"

const empty = up(1)
const before = afterCommands(empty, addTopic("orders", { configs: [{ name: "segment.bytes", value: "1048576" }] }))
const set = (name: string, value: string | null): ConfigChange => ({ name, operation: "set", value })
const unset = (name: string): ConfigChange => ({ name, operation: "delete", value: null })
const change = (changes: ReadonlyArray<ConfigChange>, more: { topic?: string; replace?: boolean; validateOnly?: boolean } = {}) =>
  Command.ChangeTopicConfigs({ topic: "orders", replace: false, validateOnly: false, changes, ...more })
/** The topic's own settings after the change, or why it is refused. */
const after = (...args: Parameters<typeof change>): unknown => {
  const error = givenCluster(before).error(change(...args))
  return error === "allowed" ? topicByName(afterCommands(before, change(...args)), "orders")?.configs : error
}
const message = (...args: Parameters<typeof change>): string => givenCluster(before).rejection(change(...args))?.message ?? ""

describe("changing a topic's settings", () => {
  test("given a setting, when another is set, then both are effective, in one event with all of them", () => {
    expect(after([set("retention.ms", "1000")])).toEqual({ "segment.bytes": "1048576", "retention.ms": "1000" })
    expect(eventsOf(before, change([set("retention.ms", "1000")]))).toMatchObject([
      { _tag: "TopicConfigsChanged", configs: { "segment.bytes": "1048576", "retention.ms": "1000" } }
    ])
  })
  test("when it is deleted, then the default is effective; when it was never set, no event", () => {
    expect(after([unset("segment.bytes")])).toEqual({})
    expect(eventsOf(before, change([unset("retention.ms")]))).toEqual([])
  })
  test("when all are replaced, then every other setting gets its default", () => {
    expect(after([set("retention.ms", "5")], { replace: true })).toEqual({ "retention.ms": "5" })
    expect(after([], { replace: true })).toEqual({})
  })
  test("when an entry is appended to a list, then the list has it once", () =>
    expect(after([{ name: "cleanup.policy", operation: "append", value: "delete" }])).toEqual({ "segment.bytes": "1048576", "cleanup.policy": "delete" }))
  test("when the last entry of a list is subtracted, then it is empty: no segment is deleted by age or size", () =>
    expect(after([{ name: "cleanup.policy", operation: "subtract", value: "delete" }])).toEqual({ "segment.bytes": "1048576", "cleanup.policy": "" }))
  test("values are kept as Kafka writes them", () =>
    expect(
      after([set("retention.ms", " +077 "), set("preallocate", "TRUE"), set("min.cleanable.dirty.ratio", "1"), set("cleanup.policy", " delete , delete ")], {
        replace: true
      })
    ).toEqual({ "retention.ms": "77", preallocate: "true", "min.cleanable.dirty.ratio": "1.0", "cleanup.policy": "delete" }))
  test("when nothing changes, or with validateOnly, then no event", () => {
    expect(eventsOf(before, change([set("segment.bytes", " 1048576 ")]))).toEqual([])
    expect(eventsOf(before, change([set("retention.ms", "1")], { validateOnly: true }))).toEqual([])
  })
  test("a snapshot keeps them", () => {
    const changed = afterCommands(before, change([set("retention.ms", "1000")]))
    expect(toSnapshot(fromSnapshot(toSnapshot(changed)))).toEqual(toSnapshot(changed))
  })
})

describe("refused changes", () => {
  test.each<[string, ReadonlyArray<ConfigChange>]>([
    ["INVALID_CONFIG", [set("retention.ms", "-2")]],
    ["INVALID_CONFIG", [set("retention.ms", "5"), set("segment.bytes", "x")]],
    ["INVALID_CONFIG", [set("no.such", "5")]],
    ["INVALID_CONFIG", [set("__proto__", "5")]],
    ["INVALID_CONFIG", [set("cleanup.policy", "compress")]],
    ["INVALID_CONFIG", [{ name: "cleanup.policy", operation: "append", value: "keep" }]],
    ["INVALID_CONFIG", [set("compression.gzip.level", "0")]],
    ["INVALID_CONFIG", [set("min.cleanable.dirty.ratio", "1.5")]],
    ["INVALID_CONFIG", [set("leader.replication.throttled.replicas", "0:1,*")]],
    ["INVALID_CONFIG", [set("remote.storage.enable", "true")]],
    ["INVALID_CONFIG", [set("min.compaction.lag.ms", "100"), set("max.compaction.lag.ms", "50")]],
    ["INVALID_CONFIG", [{ name: "retention.ms", operation: "append", value: "1" }]],
    ["INVALID_REQUEST", [set("retention.ms", null)]],
    ["INVALID_REQUEST", [set("retention.ms", "1"), unset("retention.ms")]]
  ])("%s: %j", (error, changes) => expect(after(changes)).toBe(error))
  test("settings of all topics and nodes are bounded together: more are refused, fewer never", () => {
    const full = { ...before, configCharacters: allConfigCharactersMax }
    const error = (command: Command) => givenCluster(full).error(command)
    expect(error(change([set("retention.ms", "1000")]))).toBe("POLICY_VIOLATION")
    expect(error(addTopic("bills", { topicId: topicId(2), configs: [{ name: "retention.ms", value: "1" }] }))).toBe("POLICY_VIOLATION")
    expect(error(Command.ChangeNodeConfigs({ node: "", replace: false, changes: [set("log.retention.ms", "5")], validateOnly: false }))).toBe(
      "POLICY_VIOLATION"
    )
    expect([error(change([unset("segment.bytes")])), error(addTopic("bills", { topicId: topicId(2) }))]).toEqual(["allowed", "allowed"])
  })
  test("a topic that is not there, or cannot be", () => {
    expect(after([], { topic: "other" })).toBe("UNKNOWN_TOPIC_OR_PARTITION")
    expect(after([], { topic: "a/b" })).toBe("INVALID_TOPIC_EXCEPTION")
  })
  test("the message names the setting, the value and what would fit; an unknown name the nearest", () => {
    expect(message([set("retention.ms", "-2")])).toBe("retention.ms=-2: expected a whole number from -1 to 9007199254740991.")
    expect(message([set("retention.sm", "5")])).toContain("Unknown topic config name: retention.sm. Did you mean 'retention.ms'?")
    expect(message([set("cleanup.policy", "compress")])).toBe("cleanup.policy=compress: expected a list of compact, delete.")
  })
})
