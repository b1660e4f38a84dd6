import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { topicByName } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { DescribeConfigs } from "../../../src/protocol/message/32-describe-configs.ts"
import { AlterConfigs } from "../../../src/protocol/message/33-alter-configs.ts"
import { IncrementalAlterConfigs } from "../../../src/protocol/message/44-incremental-alter-configs.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopic, newDisk, running, worlds } from "./cluster-support.ts"
import { batch, until } from "./support.ts"

const topic = 2
const send = (link: Link, value: string) =>
  link
    .call(Produce, { acks: 1, timeoutMs: 5000, topicData: [{ name: "orders", partitionData: [{ index: 0, records: batch([value]) }] }] }, { version: 12 })
    .pipe(Effect.map(({ responses }) => responses[0]?.partitionResponses[0]?.errorCode))
const change = (link: Link, name: string, value: string | null, configOperation = 0) =>
  link
    .call(IncrementalAlterConfigs, {
      resources: [{ resourceType: topic, resourceName: "orders", configs: [{ name, value, configOperation }] }],
      validateOnly: false
    })
    .pipe(Effect.map(({ responses }) => responses[0]?.errorCode))
const described = (link: Link, name: string) =>
  link
    .call(DescribeConfigs, { resources: [{ resourceType: topic, resourceName: "orders", configurationKeys: [name] }], includeDocumentation: true })
    .pipe(Effect.map(({ results }) => results[0]?.configs[0]))

describe.each(worlds)("topic settings over %s", (_, make) => {
  const { brokerOn, leaderOn, linkTo } = make()
  test("changes through the broker apply while it runs, and after both nodes have restarted", () =>
    running(
      Effect.gen(function* () {
        const disks = { leader: newDisk(), broker: newDisk() }
        const leader = yield* leaderOn(disks.leader)
        const broker = yield* brokerOn(disks.broker, 1, leader.it.address)
        yield* broker.it.ready
        const client = yield* linkTo(broker.it.address)
        yield* createTopic(client, "orders")
        const settings = (of: typeof broker) => topicByName(of.it.cluster(), "orders")?.configs
        yield* until(() => settings(broker) !== undefined)
        expect(yield* change(client, "max.message.bytes", "200")).toBe(0)
        expect(yield* change(client, "max.message.bytes", "-1")).toBe(errorCode("INVALID_CONFIG"))
        yield* until(() => settings(broker)?.["max.message.bytes"] === "200")
        expect(yield* described(client, "max.message.bytes")).toMatchObject({
          value: "200",
          configSource: 1,
          readOnly: false,
          documentation: "Bytes that a record batch may have."
        })
        yield* Effect.repeat(Effect.delay(send(client, "small"), 1), { until: (error) => error === 0, times: 4000 })
        expect(yield* send(client, "x".repeat(300))).toBe(errorCode("MESSAGE_TOO_LARGE"))

        yield* broker.stop
        yield* leader.stop
        const leaderAgain = yield* leaderOn(disks.leader)
        const again = yield* brokerOn(disks.broker, 1, leaderAgain.it.address)
        yield* again.it.ready
        const client2 = yield* linkTo(again.it.address)
        yield* Effect.repeat(Effect.delay(send(client2, "small"), 1), { until: (error) => error === 0, times: 4000 })
        expect(yield* send(client2, "x".repeat(300))).toBe(errorCode("MESSAGE_TOO_LARGE"))
        const replaced = yield* client2.call(AlterConfigs, {
          resources: [{ resourceType: topic, resourceName: "orders", configs: [] }],
          validateOnly: false
        })
        expect(replaced.responses[0]?.errorCode).toBe(0)
        yield* until(() => Object.keys(settings(again) ?? { none: "" }).length === 0)
        expect(yield* send(client2, "x".repeat(300))).toBe(0)
      })
    ))

  test("while the leader is unreachable a change fails with NOT_CONTROLLER", () =>
    running(
      Effect.gen(function* () {
        const leader = yield* leaderOn(newDisk())
        const broker = yield* brokerOn(newDisk(), 1, leader.it.address)
        yield* broker.it.ready
        const client = yield* linkTo(broker.it.address)
        yield* createTopic(client, "orders")
        yield* leader.stop
        expect(yield* change(client, "retention.ms", "1")).toBe(errorCode("NOT_CONTROLLER"))
      })
    ))
})
