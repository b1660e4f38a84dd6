import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { nodeConfigsOf } from "../../../domain/cluster/config/node.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { DescribeConfigs } from "../../../src/protocol/message/32-describe-configs.ts"
import { IncrementalAlterConfigs } from "../../../src/protocol/message/44-incremental-alter-configs.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopic, newDisk, running, worlds } from "./cluster-support.ts"
import { batch, until } from "./support.ts"

const node = 4
const topic = 2
const send = (link: Link, value: string) =>
  link
    .call(Produce, { acks: 1, timeoutMs: 5000, topicData: [{ name: "orders", partitionData: [{ index: 0, records: batch([value]) }] }] }, { version: 12 })
    .pipe(Effect.map(({ responses }) => responses[0]?.partitionResponses[0]?.errorCode))
const change = (link: Link, resourceName: string, name: string, value: string | null, resourceType = node) =>
  link
    .call(IncrementalAlterConfigs, {
      resources: [{ resourceType, resourceName, configs: [{ name, value, configOperation: value === null ? 1 : 0 }] }],
      validateOnly: false
    })
    .pipe(Effect.map(({ responses }) => responses[0]?.errorCode))
/** Returns the value, the source and the synonyms of a setting. */
const described = (link: Link, resourceType: number, resourceName: string, name: string) =>
  link.call(DescribeConfigs, { resources: [{ resourceType, resourceName, configurationKeys: [name] }], includeSynonyms: true }).pipe(
    Effect.map(({ results }) => {
      const found = results[0]?.configs[0]
      return found === undefined ? undefined : [found.value, found.configSource, found.synonyms.map((each) => `${each.name}=${each.value}@${each.source}`)]
    })
  )

describe.each(worlds)("node settings over %s", (_, make) => {
  const { brokerOn, leaderOn, linkTo } = make()
  test("settings of the broker and of all nodes apply while the broker runs, and after both nodes have restarted", () =>
    running(
      Effect.gen(function* () {
        const disks = { leader: newDisk(), broker: newDisk() }
        const leader = yield* leaderOn(disks.leader)
        const broker = yield* brokerOn(disks.broker, 1, leader.it.address)
        yield* broker.it.ready
        const client = yield* linkTo(broker.it.address)
        yield* createTopic(client, "orders")
        const settings = (of: typeof broker, of_: number | null) => nodeConfigsOf(of.it.cluster(), of_)["message.max.bytes"]
        yield* Effect.repeat(Effect.delay(send(client, "x".repeat(300)), 1), { until: (error) => error === 0, times: 4000 })
        expect(yield* change(client, "", "message.max.bytes", "250")).toBe(0)
        expect(yield* change(client, "1", "message.max.bytes", "200")).toBe(0)
        expect(yield* change(client, "1", "node.id", "7")).toBe(errorCode("INVALID_REQUEST"))
        yield* until(() => settings(broker, 1) === "200")
        expect(yield* send(client, "x".repeat(300))).toBe(errorCode("MESSAGE_TOO_LARGE"))
        const layers = ["message.max.bytes=200@2", "message.max.bytes=250@3", "message.max.bytes=1048588@5"]
        expect(yield* described(client, node, "1", "message.max.bytes")).toEqual(["200", 2, layers])
        expect(yield* described(client, topic, "orders", "max.message.bytes")).toEqual(["200", 2, layers])
        expect(yield* described(client, node, "", "message.max.bytes")).toEqual(["250", 3, ["message.max.bytes=250@3"]])
        expect(yield* change(client, "orders", "max.message.bytes", "500", topic)).toBe(0)
        yield* Effect.repeat(Effect.delay(send(client, "x".repeat(300)), 1), { until: (error) => error === 0, times: 4000 })
        expect(yield* described(client, topic, "orders", "max.message.bytes")).toEqual(["500", 1, ["max.message.bytes=500@1", ...layers]])
        expect(yield* change(client, "orders", "max.message.bytes", null, topic)).toBe(0)

        // Values that would lock the operator out are refused. The open connection stays.
        for (const [name, value] of [
          ["max.connections", "9"],
          ["message.max.bytes", "0"],
          ["log.segment.bytes", "14"],
          ["log.cleaner.backoff.ms", "9000000000"]
        ] as const)
          expect([name, yield* change(client, "1", name, value)]).toEqual([name, errorCode("INVALID_CONFIG")])
        expect(yield* change(client, "1", "max.connections", "10")).toBe(0)
        yield* until(() => nodeConfigsOf(broker.it.cluster(), 1)["max.connections"] === "10")
        expect(yield* send(client, "small")).toBe(0)
        expect(yield* change(client, "1", "max.connections", null)).toBe(0)

        yield* broker.stop
        yield* leader.stop
        const leaderAgain = yield* leaderOn(disks.leader)
        const again = yield* brokerOn(disks.broker, 1, leaderAgain.it.address)
        yield* again.it.ready
        const client2 = yield* linkTo(again.it.address)
        yield* Effect.repeat(Effect.delay(send(client2, "small"), 1), { until: (error) => error === 0, times: 4000 })
        expect(yield* send(client2, "x".repeat(300))).toBe(errorCode("MESSAGE_TOO_LARGE"))
        expect(yield* change(client2, "1", "message.max.bytes", null)).toBe(0)
        expect(yield* change(client2, "", "message.max.bytes", null)).toBe(0)
        yield* until(() => settings(again, 1) === undefined && settings(again, null) === undefined)
        expect(yield* send(client2, "x".repeat(300))).toBe(0)
      })
    ))
})
