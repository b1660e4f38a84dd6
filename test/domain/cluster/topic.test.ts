import { describe, expect, test } from "bun:test"
import { HashMap } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { addTopic, afterCommands, eventsOf, given, givenCluster, heartbeat, register, topicId, up } from "./support.ts"

const three = up(3)
const refused = (state: Cluster, command: Command): string => givenCluster(state).error(command)

describe("AddTopic", () => {
  test("given three brokers, when a topic of three partitions is added, then each leads one", () => {
    const events = eventsOf(three, addTopic("orders"))
    expect(events.map((event) => event._tag)).toEqual(["TopicAdded", "PartitionPlaced", "PartitionPlaced", "PartitionPlaced"])
    const orders = topicByName(fold(evolve, three, events), "orders")
    expect(orders?.partitions.map(({ leader }) => leader as number)).toEqual([1, 2, 3])
  })
  test("given orders, when it is added again, then TOPIC_ALREADY_EXISTS", () => {
    expect(refused(afterCommands(three, addTopic("orders")), addTopic("orders"))).toBe("TOPIC_ALREADY_EXISTS")
  })
  test.each([
    ["", "INVALID_TOPIC_EXCEPTION"],
    [".", "INVALID_TOPIC_EXCEPTION"],
    ["..", "INVALID_TOPIC_EXCEPTION"],
    ["a/b", "INVALID_TOPIC_EXCEPTION"],
    ["a\0", "INVALID_TOPIC_EXCEPTION"],
    ["%2e", "INVALID_TOPIC_EXCEPTION"],
    ["оrders", "INVALID_TOPIC_EXCEPTION"],
    ["x".repeat(250), "INVALID_TOPIC_EXCEPTION"],
    ["x".repeat(249), "allowed"],
    ["__cluster_metadata", "INVALID_TOPIC_EXCEPTION"],
    ["__group_metadata", "INVALID_TOPIC_EXCEPTION"],
    ["__group_metadata-3", "INVALID_TOPIC_EXCEPTION"]
  ])("the name %j: %s", (name, error) => expect(refused(three, addTopic(name))).toBe(error))
  test("given a.b, when a_b is added, then INVALID_TOPIC_EXCEPTION; when a.b is removed, then it can be added", () => {
    const dotted = afterCommands(three, addTopic("a.b"))
    expect(refused(dotted, addTopic("a_b"))).toBe("INVALID_TOPIC_EXCEPTION")
    const removed = afterCommands(dotted, Command.RemoveTopic({ topic: { name: "a.b" } }))
    expect(refused(removed, addTopic("a_b"))).toBe("allowed")
  })
  test.each([
    [{ partitionCount: 0 }, "INVALID_PARTITIONS"],
    [{ partitionCount: -2 }, "INVALID_PARTITIONS"],
    [{ partitionCount: 10_001 }, "INVALID_PARTITIONS"],
    [{ partitionCount: 10_000 }, "allowed"],
    [{ partitionCount: -1, replicationFactor: -1 }, "allowed"],
    [{ replicationFactor: 0 }, "INVALID_REPLICATION_FACTOR"],
    [{ replicationFactor: 2 }, "UNSUPPORTED_VERSION"],
    [{ replicationFactor: 4 }, "INVALID_REPLICATION_FACTOR"],
    [{ configs: [{ name: "segment.bytes", value: "1048576" }] }, "allowed"],
    [{ configs: [{ name: "segment.bytes", value: "13" }] }, "INVALID_CONFIG"],
    [{ configs: [{ name: "segment.bytes", value: null }] }, "INVALID_CONFIG"],
    [{ configs: [{ name: "no.such", value: "1" }] }, "INVALID_CONFIG"],
    [{ configs: [{ name: "__proto__", value: "1" }] }, "INVALID_CONFIG"],
    [{ assignments: [{ partition: 0, replicas: [1] }] }, "INVALID_REQUEST"],
    [{ partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 1, replicas: [1] }] }, "INVALID_REPLICA_ASSIGNMENT"],
    [{ partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas: [] }] }, "INVALID_REPLICA_ASSIGNMENT"],
    [{ partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas: [9] }] }, "INVALID_REPLICA_ASSIGNMENT"],
    [{ partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas: [2] }] }, "allowed"]
  ])("%j: %s", (more, error) => expect(refused(three, addTopic("orders", more))).toBe(error))
  test("a replication factor over the number of brokers says both numbers", () =>
    expect(decide(three, addTopic("orders", { replicationFactor: 4 }))).toMatchObject({
      left: {
        message: "Unable to replicate the partition 4 time(s): The target replication factor of 4 cannot be reached because only 3 broker(s) are registered."
      }
    }))
  test("with validateOnly no event", () => expect(eventsOf(three, addTopic("orders", { validateOnly: true }))).toEqual([]))
  test("given no unfenced broker, then INVALID_REPLICATION_FACTOR", () =>
    expect(refused(given(register(1)), addTopic("orders"))).toBe("INVALID_REPLICATION_FACTOR"))
})

describe("AddPartitions", () => {
  const orders = afterCommands(three, addTopic("orders", { partitionCount: 2 }))
  const more = (count: number, assignments: ReadonlyArray<ReadonlyArray<number>> | null = null) =>
    Command.AddPartitions({ topic: "orders", count, assignments, partitionsPerBrokerMax: 200_000, validateOnly: false })
  test("given two partitions, when the count becomes four, then the new ones are 2 and 3, on the brokers with the fewest", () => {
    const after = topicByName(afterCommands(orders, more(4)), "orders")
    expect(after?.partitions.map(({ leader }) => leader as number)).toEqual([1, 2, 3, 1])
  })
  test.each([
    [more(2), "INVALID_PARTITIONS"],
    [more(1), "INVALID_PARTITIONS"],
    [more(10_001), "INVALID_PARTITIONS"],
    [more(4, [[1]]), "INVALID_REPLICA_ASSIGNMENT"],
    [more(3, [[1]]), "allowed"],
    [Command.AddPartitions({ topic: "other", count: 3, assignments: null, partitionsPerBrokerMax: 200_000, validateOnly: false }), "UNKNOWN_TOPIC_OR_PARTITION"]
  ])("%j: %s", (command, error) => expect(refused(orders, command)).toBe(error))
})

describe("the most partitions that a broker may hold", () => {
  const orders = afterCommands(three, addTopic("orders", { partitionCount: 6 }))
  const topic = (partitionCount: number, more: Parameters<typeof addTopic>[1] = {}) =>
    addTopic("other", { topicId: topicId(2), partitionCount, partitionsPerBrokerMax: 4, ...more })
  const partitions = (count: number) => Command.AddPartitions({ topic: "orders", count, assignments: null, partitionsPerBrokerMax: 4, validateOnly: false })
  test.each([
    [topic(6), "allowed"],
    [topic(7), "POLICY_VIOLATION"],
    [partitions(12), "allowed"],
    [partitions(13), "POLICY_VIOLATION"],
    [topic(-1, { replicationFactor: -1, assignments: [0, 1, 2].map((partition) => ({ partition, replicas: [2] })) }), "POLICY_VIOLATION"]
  ])("%j: %s", (command, error) => expect(refused(orders, command)).toBe(error))
  test("the message names the broker, the count and the setting", () =>
    expect(givenCluster(orders).rejection(topic(7))?.message).toBe("Broker 1 would hold 5 partitions, the most is 4: see franz.broker.partitions.max."))
})

describe("RemoveTopic", () => {
  test("M7: given orders, when it is removed, then one event removes all its state", () => {
    const orders = afterCommands(three, addTopic("my.orders", { partitionCount: 7 }))
    const events = eventsOf(orders, Command.RemoveTopic({ topic: { topicId: topicId(1) } }))
    expect(events.map((event) => event._tag)).toEqual(["TopicRemoved"])
    const after = fold(evolve, orders, events)
    expect([HashMap.size(after.topics), HashMap.size(after.topicIds), HashMap.size(after.unifiedNames), after.partitionCount]).toEqual([0, 0, 0, 0])
    expect([...HashMap.values(after.load)]).toEqual([0, 0, 0])
  })
  test("an unknown topic: UNKNOWN_TOPIC_OR_PARTITION by name, UNKNOWN_TOPIC_ID by id", () => {
    expect(refused(three, Command.RemoveTopic({ topic: { name: "orders" } }))).toBe("UNKNOWN_TOPIC_OR_PARTITION")
    expect(refused(three, Command.RemoveTopic({ topic: { topicId: topicId(5) } }))).toBe("UNKNOWN_TOPIC_ID")
  })
})

test("given a fenced broker, when a topic is added, then it gets no partition", () => {
  const two = given(register(1), heartbeat(1), register(2), heartbeat(2), heartbeat(2, { wantShutDown: true }))
  const orders = topicByName(afterCommands(two, addTopic("orders")), "orders")
  expect(orders?.partitions.map(({ leader }) => leader as number)).toEqual([1, 1, 1])
})
