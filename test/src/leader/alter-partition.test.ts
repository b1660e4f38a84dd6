import { expect, test } from "bun:test"
import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { replicationEventLevel } from "../../../domain/cluster/event-level.ts"
import { topicByName } from "../../../domain/cluster/state.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { AlterPartition } from "../../../src/protocol/message/56-alter-partition.ts"
import type { Link } from "../../../src/wire/link.ts"
import { World } from "../groups/support.ts"
import { joined } from "./support.ts"

const newTopic = "BvXgbDGDQkqSB0fKXyZf6Q"

test("a partition leader changes the in-sync set; epochs that are stale, brokers that do not lead and replicas that may not join change nothing", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const links = yield* Effect.forEach([1, 2, 3], () => world.link(leader.address))
      const [one, two] = links as [Link, Link, Link]
      const epochs = yield* Effect.forEach(links, (to, at) => joined(to, at + 1))
      yield* leader.writer.when(({ eventLevel }) => (eventLevel === replicationEventLevel ? true : undefined))
      const addTopic = Command.AddTopic({
        topic: "orders",
        topicId: newTopic as never,
        partitionCount: -1,
        replicationFactor: -1,
        replicationFactorMax: 3,
        defaultPartitionCount: 1,
        partitionsPerBrokerMax: 1000,
        assignments: [{ partition: 0, replicas: [1, 2, 3] }],
        configs: [],
        validateOnly: false
      })
      yield* leader.writer.submit({ command: addTopic, commandId: "c", actor: "test", cause: "test" })
      const now = () => topicByName(leader.cluster(), "orders")?.partitions.at(0)
      expect(now()?.isr).toEqual([1, 2, 3] as never)
      const ask = (to: Link, brokerId: number, isr: ReadonlyArray<number>, more: { partitionEpoch?: number; leaderEpoch?: number; epochOf3?: bigint } = {}) =>
        Effect.map(
          to.call(AlterPartition, {
            brokerId,
            brokerEpoch: epochs[brokerId - 1] as bigint,
            topics: [
              {
                topicId: newTopic,
                partitions: [
                  {
                    partitionIndex: 0,
                    leaderEpoch: more.leaderEpoch ?? 0,
                    newIsrWithEpochs: isr.map((id) => ({
                      brokerId: id,
                      brokerEpoch: id === 3 ? (more.epochOf3 ?? (epochs[2] as bigint)) : (epochs[id - 1] as bigint)
                    })),
                    partitionEpoch: more.partitionEpoch ?? now()?.partitionEpoch ?? -1
                  }
                ]
              }
            ]
          }),
          ({ errorCode, topics }) => {
            const partition = topics[0]?.partitions[0]
            return [kafkaError(errorCode === 0 ? (partition?.errorCode ?? -1) : errorCode), partition?.isr ?? []] as const
          }
        )
      expect(yield* ask(one, 1, [1, 2])).toEqual(["NONE", [1, 2]])
      expect(now()?.isr).toEqual([1, 2] as never)
      const before = now()
      expect((yield* ask(one, 1, [1, 2, 3], { partitionEpoch: (before?.partitionEpoch ?? 0) - 1 }))[0]).toBe("INVALID_UPDATE_VERSION")
      expect((yield* ask(one, 1, [1, 2, 3], { partitionEpoch: 99 }))[0]).toBe("NOT_CONTROLLER")
      expect((yield* ask(one, 1, [1, 2, 3], { leaderEpoch: 7 }))[0]).toBe("NOT_CONTROLLER")
      expect((yield* ask(one, 1, [1, 2, 3], { epochOf3: 1n }))[0]).toBe("INELIGIBLE_REPLICA")
      expect((yield* ask(one, 1, [2, 3]))[0]).toBe("INVALID_REQUEST")
      expect((yield* ask(two, 2, [1, 2, 3]))[0]).toBe("INVALID_REQUEST")
      // On the connection of another broker's process.
      expect((yield* ask(two, 1, [1, 2, 3]))[0]).toBe("CLUSTER_AUTHORIZATION_FAILED")
      expect(now()).toEqual(before)
      expect(yield* ask(one, 1, [1, 2, 3])).toEqual(["NONE", [1, 2, 3]])
      // A request without broker epochs, of an older version.
      const old = yield* one.call(
        AlterPartition,
        {
          brokerId: 1,
          brokerEpoch: epochs[0] as bigint,
          topics: [{ topicId: newTopic, partitions: [{ partitionIndex: 0, leaderEpoch: 0, newIsr: [1, 3], partitionEpoch: now()?.partitionEpoch ?? -1 }] }]
        },
        { version: 2 }
      )
      expect(old.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, isr: [1, 3] })
    })
  )
})
