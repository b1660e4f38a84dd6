import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { Command } from "../../../../domain/cluster/command.ts"
import { evolve } from "../../../../domain/cluster/evolve.ts"
import { type Cluster, initial } from "../../../../domain/cluster/state.ts"
import { fold } from "../../../../domain/kernel/decider.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { type BrokerId, zeroTopicId } from "../../../../domain/kernel/id.ts"
import type { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import type { RequestOf, ResponseDraft } from "../../../../src/protocol/type/wire.ts"
import { metadata } from "../../../../src/serve/cluster/metadata.ts"
import { coordinators, nodesOf } from "../../../../src/serve/cluster/nodes.ts"
import { addTopic, eventsOf, given, heartbeat, register, topicId, up } from "../../../domain/cluster/support.ts"
import { atOnce } from "../../wire/at-once.ts"
import { contextOf, sessionOn } from "../../wire/context.ts"

const orders = (() => {
  const two = up(2)
  return fold(evolve, two, eventsOf(two, addTopic("orders")))
})()
const context = (version: number, listener?: string) => contextOf({ apiKey: 3, apiVersion: version }, undefined, sessionOn(listener))
const created: Array<string> = []
const ask = (cluster: Cluster, version: number, request: Partial<RequestOf<typeof Metadata>>, autoCreate = true, listener?: string) => {
  created.length = 0
  const answer = atOnce(
    metadata({ nodeId: 1, cluster: () => cluster, autoCreate, createTopics: (names) => Effect.sync(() => void created.push(...names)) })(
      { topics: null, allowAutoTopicCreation: true, includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false, ...request },
      context(version, listener)
    )
  )
  return Effect.isEffect(answer) ? atOnce(Effect.runSync(answer)) : answer
}
const rows = (answer: ReturnType<typeof ask>) => answer.topics.map(({ name, errorCode }) => [name, kafkaError(errorCode)])
const byName = (...names: ReadonlyArray<string>) => names.map((name) => ({ name, topicId: zeroTopicId }))
const byId = (id: string) => [{ name: null, topicId: id }]

describe("which topics", () => {
  test("null asks for all, in version 0 an empty list does, from version 1 on it asks for none", () => {
    expect(rows(ask(orders, 1, {}))).toEqual([["orders", "NONE"]])
    expect(rows(ask(orders, 0, { topics: [] }))).toEqual([["orders", "NONE"]])
    expect(rows(ask(orders, 1, { topics: [] }))).toEqual([])
  })
  test("by id from version 12 on, INVALID_REQUEST in 10 and 11", () => {
    expect(rows(ask(orders, 12, { topics: byId(topicId(1)) }))).toEqual([["orders", "NONE"]])
    expect(rows(ask(orders, 12, { topics: byId(topicId(9)) }))).toEqual([[null, "UNKNOWN_TOPIC_ID"]])
    expect(rows(ask(orders, 11, { topics: byId(topicId(1)) }))).toEqual([["", "INVALID_REQUEST"]])
    expect(rows(ask(orders, 12, { topics: byId(zeroTopicId) }))).toEqual([[null, "INVALID_REQUEST"]])
  })
  test("a duplicate topic is in the response once", () => expect(rows(ask(orders, 12, { topics: byName("orders", "orders") })).length).toBe(1))
})

describe("auto creation", () => {
  test("legal names that are unknown, each once", () => {
    const answer = ask(orders, 12, { topics: byName("new", "new", "orders", "a/b", "..", "__cluster_metadata") })
    expect(created).toEqual(["new"])
    expect(rows(answer)).toEqual([
      ["new", "UNKNOWN_TOPIC_OR_PARTITION"],
      ["orders", "NONE"],
      ["a/b", "INVALID_TOPIC_EXCEPTION"],
      ["..", "INVALID_TOPIC_EXCEPTION"],
      ["__cluster_metadata", "NONE"]
    ])
  })
  test("not when the request or the node says no", () => {
    ask(orders, 12, { topics: byName("new"), allowAutoTopicCreation: false })
    expect(created).toEqual([])
    ask(orders, 12, { topics: byName("new") }, false)
    expect(created).toEqual([])
  })
})

describe("nodes", () => {
  test("fenced brokers are not listed; their partitions have no leader", () => {
    const down = fold(evolve, orders, eventsOf(orders, heartbeat(2, { wantShutDown: true })(orders)))
    const answer = ask(down, 12, { topics: byName("orders") })
    expect(answer.brokers.map(({ nodeId }) => nodeId)).toEqual([1])
    expect(answer.topics[0]?.partitions.map(({ errorCode, leaderId, offlineReplicas }) => [kafkaError(errorCode), leaderId, offlineReplicas])).toEqual([
      ["NONE", 1, []],
      ["LEADER_NOT_AVAILABLE", -1, [2]],
      ["NONE", 1, []]
    ])
  })
  const elect = (nodeId: number, port: number) => Command.ElectLeader({ nodeId: nodeId as BrokerId, host: "127.0.0.1", port, epoch: 1 })
  const names = ({ topics }: ResponseDraft<typeof Metadata>) => topics.map(({ name }) => name)
  test("a leader that shares a node with a broker is listed once, is the controller, and its journal is among all topics", () => {
    const cluster = given(register(1), heartbeat(1), register(2), heartbeat(2), elect(2, 9002))
    expect(nodesOf(cluster, undefined).map(({ nodeId }) => nodeId)).toEqual([1, 2])
    expect(coordinators(cluster, undefined)("any")?.nodeId).toBe(2)
    expect([ask(cluster, 12, {}).controllerId, names(ask(cluster, 12, {}))]).toEqual([2, ["__cluster_metadata"]])
  })
  test("a leader that is no broker is only in a response about its journal; the broker that responds is the controller", () => {
    const cluster = given(register(1), heartbeat(1), register(2), heartbeat(2), elect(100, 9100))
    const all = ask(cluster, 12, {})
    expect([all.brokers.map(({ nodeId }) => nodeId), all.controllerId, names(all)]).toEqual([[1, 2], 1, []])
    const journal = ask(cluster, 12, { topics: byName("__cluster_metadata") })
    expect(journal.brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2, 100])
    expect(journal.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, leaderId: 100 })
  })
  test("a leader that is no broker: each group is coordinated by one of the brokers, and by none while none serves", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), fc.string(), (brokers, group) => {
        const cluster = given(elect(100, 9100), ...Array.from({ length: brokers }, (_, n) => [register(n), heartbeat(n)]).flat())
        const found = coordinators(cluster, undefined)(group)?.nodeId
        expect(brokers === 0 ? found === undefined : nodesOf(cluster, undefined).some(({ nodeId }) => nodeId === found)).toBe(true)
      })
    )
  })
  test("through a listener: each broker has its address there, and brokers without it are not listed", () => {
    const listeners = [
      { name: "INSIDE", host: "10.0.0.1", port: 19_092 },
      { name: "OUTSIDE", host: "kafka.example", port: 9092 }
    ]
    const two = given(
      Command.RegisterBroker({ brokerId: 1, incarnationId: "one", clusterId: "", host: "10.0.0.1", port: 19_092, rack: null, listeners, isConnected: false }),
      heartbeat(1),
      register(2),
      heartbeat(2)
    )
    const cluster = fold(evolve, two, eventsOf(two, addTopic("orders")))
    const addresses = (listener?: string) => ask(cluster, 12, {}, true, listener).brokers.map(({ host, nodeId, port }) => `${nodeId} ${host}:${port}`)
    expect(addresses("OUTSIDE")).toEqual(["1 kafka.example:9092"])
    expect(addresses("INSIDE")).toEqual(["1 10.0.0.1:19092"])
    expect(addresses("PLAINTEXT")).toEqual(["2 127.0.0.1:9002"])
    expect(addresses()).toEqual(["1 10.0.0.1:19092", "2 127.0.0.1:9002"])
    expect(coordinators(cluster, "OUTSIDE")("any")).toMatchObject({ nodeId: 1, host: "kafka.example", port: 9092 })
    const led = (version: number) =>
      ask(cluster, version, {}, true, "OUTSIDE").topics[0]?.partitions.map(({ errorCode, leaderId }) => [leaderId, kafkaError(errorCode)])
    expect(new Set(led(12)?.map(String))).toEqual(new Set(["1,NONE", "-1,LISTENER_NOT_FOUND"]))
    expect(new Set(led(5)?.map(String))).toEqual(new Set(["1,NONE", "-1,LEADER_NOT_AVAILABLE"]))
  })
  test("before the first election no broker is the controller", () => {
    expect(ask(initial, 12, {})).toMatchObject({ brokers: [], controllerId: -1, clusterId: null, topics: [] })
  })
})
