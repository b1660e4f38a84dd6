import { DescribeConfigs } from "../../../../src/protocol/message/32-describe-configs.ts"
import { AlterConfigs } from "../../../../src/protocol/message/33-alter-configs.ts"
import { IncrementalAlterConfigs } from "../../../../src/protocol/message/44-incremental-alter-configs.ts"
import { until } from "../process.ts"
import type { Scenario, Side } from "./side.ts"

const topic = 2
const broker = 4

/** The topic's own settings, after the asked node has applied them. */
const own = async (side: Side, label: string, name: string, expected: Readonly<Record<string, string>>): Promise<void> => {
  const settings = async (): Promise<Readonly<Record<string, string | null>>> => {
    const { results } = await side.call(DescribeConfigs, 4, { resources: [{ resourceType: topic, resourceName: name, configurationKeys: null }] })
    return Object.fromEntries((results[0]?.configs ?? []).filter(({ configSource }) => configSource === 1).map((each) => [each.name, each.value]))
  }
  await until(`${label}: ${JSON.stringify(expected)}`, async () => {
    const found = await settings()
    return Object.keys(found).length === Object.keys(expected).length && Object.entries(expected).every(([key, value]) => found[key] === value)
  })
}

/** [operation, name, value], the operation in Kafka's numbers: 0 sets, 1 deletes, 2 appends, 3 subtracts. */
type Change = readonly [number, string, string | null]
const change = (resourceName: string, changes: ReadonlyArray<Change>, resourceType = topic) => ({
  resourceType,
  resourceName,
  configs: changes.map(([configOperation, name, value]) => ({ name, configOperation, value }))
})

export const incremental: Scenario = async (side) => {
  await side.topic("settings-1")
  const ask = (label: string, ...resources: ReadonlyArray<ReturnType<typeof change>>) =>
    side.ask(label, IncrementalAlterConfigs, 1, { resources, validateOnly: false })
  const one = (label: string, ...changes: ReadonlyArray<Change>) => ask(label, change("settings-1", changes))
  await side.each("a setting", IncrementalAlterConfigs, [0, 1], (version) => ({
    resources: [change("settings-1", [[0, "retention.ms", `${version + 1000}`]])],
    validateOnly: false
  }))
  await one("two more", [0, "segment.bytes", "2000000"], [0, "retention.bytes", "5000000"])
  await own(side, "set", "settings-1", { "retention.ms": "1001", "segment.bytes": "2000000", "retention.bytes": "5000000" })
  await one("deleted", [1, "segment.bytes", null])
  await one("deleted again", [1, "segment.bytes", null])
  await one("an unknown one deleted", [1, "no.such", null])
  await one("nothing")
  await one("bound of time none", [0, "retention.ms", "-1"])
  await one("out of range", [0, "retention.ms", "-2"])
  await one("no number", [0, "retention.ms", "soon"])
  await one("unknown", [0, "no.such", "1"])
  await one("unknown policy", [0, "cleanup.policy", "burn"])
  await one("no value", [0, "retention.ms", null])
  await one("twice", [0, "retention.ms", "1"], [0, "retention.ms", "2"])
  await one("one right and one wrong", [0, "retention.ms", "7"], [0, "segment.bytes", "x"])
  await one("appended to a list", [2, "cleanup.policy", "delete"])
  await one("appended to a number", [2, "retention.ms", "1"])
  await one("unknown operation", [9, "retention.ms", "1"])
  await ask("no such topic", change("settings-none", [[0, "retention.ms", "1"]]))
  await ask("no name", change("", [[0, "retention.ms", "1"]]))
  await ask("no name that a topic can have", change("a/b", [[0, "retention.ms", "1"]]))
  await ask("a resource twice", change("settings-1", [[0, "retention.ms", "1"]]), change("settings-1", [[0, "retention.ms", "2"]]))
  await ask("an unknown kind", change("x", [[0, "a", "1"]], 77))
  await ask("a broker, what it starts with", change("1", [[0, "node.id", "5"]], broker))
  await side.ask("only checked", IncrementalAlterConfigs, 1, { resources: [change("settings-1", [[0, "retention.ms", "9"]])], validateOnly: true })
  await side.ask("only checked, wrong", IncrementalAlterConfigs, 1, { resources: [change("settings-1", [[0, "retention.ms", "x"]])], validateOnly: true })
  await own(side, "in the end", "settings-1", { "retention.ms": "-1", "retention.bytes": "5000000", "cleanup.policy": "delete" })
}

export const replaced: Scenario = async (side) => {
  await side.topic("settings-2", 1, { "segment.bytes": "2000000" })
  const all = (resourceName: string, configs: Readonly<Record<string, string | null>>, resourceType = topic) => ({
    resources: [{ resourceType, resourceName, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) }],
    validateOnly: false
  })
  await side.each("all", AlterConfigs, [0, 1, 2], (version) => all("settings-2", { "retention.ms": `${version + 1000}` }))
  await own(side, "all", "settings-2", { "retention.ms": "1002" })
  await side.ask("no value", AlterConfigs, 2, all("settings-2", { "retention.ms": null }))
  await side.ask("unknown", AlterConfigs, 2, all("settings-2", { "no.such": "1" }))
  await side.ask("out of range", AlterConfigs, 2, all("settings-2", { "retention.ms": "-2" }))
  await side.ask("no such topic", AlterConfigs, 2, all("settings-none", {}))
  await side.ask("no name", AlterConfigs, 2, all("", {}))
  await side.ask("an unknown kind", AlterConfigs, 2, all("x", {}, 77))
  await side.ask("none left", AlterConfigs, 2, all("settings-2", {}))
  await own(side, "none left", "settings-2", {})
}
