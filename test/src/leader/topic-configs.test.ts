import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { DescribeConfigs } from "../../../src/protocol/message/32-describe-configs.ts"
import { AlterConfigs } from "../../../src/protocol/message/33-alter-configs.ts"
import { IncrementalAlterConfigs } from "../../../src/protocol/message/44-incremental-alter-configs.ts"
import type { Link } from "../../../src/wire/link.ts"
import { scriptedJournal } from "../stream/scripted-journal.ts"
import { join, link, run, start } from "./support.ts"

const topic = 2
const set = (name: string, value: string | null, configOperation = 0) => ({ name, value, configOperation })
const incremental = (to: Link, resources: ReadonlyArray<readonly [number, string, ReadonlyArray<ReturnType<typeof set>>]>, validateOnly = false) =>
  Effect.map(
    to.call(IncrementalAlterConfigs, {
      resources: resources.map(([resourceType, resourceName, configs]) => ({ resourceType, resourceName, configs })),
      validateOnly
    }),
    ({ responses }) => responses.map((row) => kafkaError(row.errorCode))
  )
/** The settings that are the topic's own. */
const own = (to: Link, name: string) =>
  Effect.map(
    to.call(DescribeConfigs, { resources: [{ resourceType: topic, resourceName: name, configurationKeys: null }], includeSynonyms: true }),
    ({ results }) => Object.fromEntries((results[0]?.configs ?? []).filter(({ configSource }) => configSource === 1).map((each) => [each.name, each.value]))
  )
const cluster = <A>(use: (to: Link) => Effect.Effect<A, unknown>) => {
  const journal = scriptedJournal()
  return run(
    journal.layer,
    Effect.gen(function* () {
      const { address } = yield* start()
      const to = yield* link(address)
      yield* join(to, 1)
      const topics = ["orders", "bills"].map((name) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }))
      yield* to.call(CreateTopics, { topics, timeoutMs: 1000 })
      yield* use(to)
    })
  )
}

describe("topic settings", () => {
  test("each resource on its own: set, deleted, and what is refused beside them", () =>
    cluster((to) =>
      Effect.gen(function* () {
        expect(
          yield* incremental(to, [
            [topic, "orders", [set("retention.ms", "5000"), set("segment.bytes", "2000000")]],
            [topic, "bills", [set("retention.ms", "x")]],
            [topic, "none", [set("retention.ms", "5000")]],
            [topic, "", []],
            [8, "1", []]
          ])
        ).toEqual(["NONE", "INVALID_CONFIG", "UNKNOWN_TOPIC_OR_PARTITION", "INVALID_REQUEST", "INVALID_REQUEST"])
        expect(yield* own(to, "orders")).toEqual({ "retention.ms": "5000", "segment.bytes": "2000000" })
        expect(yield* own(to, "bills")).toEqual({})
        expect(yield* incremental(to, [[topic, "orders", [set("segment.bytes", null, 1)]]])).toEqual(["NONE"])
        expect(yield* own(to, "orders")).toEqual({ "retention.ms": "5000" })
      })
    ))
  test("only checked: said, and nothing changed", () =>
    cluster((to) =>
      Effect.gen(function* () {
        expect(yield* incremental(to, [[topic, "orders", [set("retention.ms", "1")]]], true)).toEqual(["NONE"])
        expect(yield* incremental(to, [[topic, "orders", [set("retention.ms", "-2")]]], true)).toEqual(["INVALID_CONFIG"])
        expect(yield* own(to, "orders")).toEqual({})
      })
    ))
  test("what is named twice, and operations that do not exist", () =>
    cluster((to) =>
      Effect.gen(function* () {
        const one = [topic, "orders", [set("retention.ms", "1")]] as const
        expect(yield* incremental(to, [one, one, [topic, "bills", [set("retention.ms", "1")]]])).toEqual(["INVALID_REQUEST", "INVALID_REQUEST", "NONE"])
        expect(yield* incremental(to, [[topic, "orders", [set("retention.ms", "1", 4)]]])).toEqual(["INVALID_REQUEST"])
        expect(yield* incremental(to, [[topic, "orders", [set("retention.ms", "1", -1)]]])).toEqual(["INVALID_REQUEST"])
        expect(yield* own(to, "orders")).toEqual({})
      })
    ))
  test("AlterConfigs replaces them all", () =>
    cluster((to) =>
      Effect.gen(function* () {
        yield* incremental(to, [[topic, "orders", [set("retention.ms", "5000")]]])
        const replaced = yield* to.call(AlterConfigs, {
          resources: [{ resourceType: topic, resourceName: "orders", configs: [{ name: "segment.bytes", value: "2000000" }] }],
          validateOnly: false
        })
        expect(replaced.responses).toEqual([{ errorCode: 0, errorMessage: null, resourceType: topic, resourceName: "orders" }])
        expect(yield* own(to, "orders")).toEqual({ "segment.bytes": "2000000" })
      })
    ))
})
