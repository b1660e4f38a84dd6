import { expect, test } from "bun:test"
import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { eventLevelFeature, replicationEventLevel } from "../../../domain/cluster/event-level.ts"
import { brokerOf, topicByName } from "../../../domain/cluster/state.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../src/protocol/message/63-broker-heartbeat.ts"
import type { Link } from "../../../src/wire/link.ts"
import { World } from "../groups/support.ts"

const topicId = "BvXgbDGDQkqSB0fKXyZf6Q"
const directory = "5cm_kJ6KTVmAeVWVrgmFpQ"

const registered = (to: Link, brokerId: number) =>
  Effect.map(
    to.call(BrokerRegistration, {
      brokerId,
      clusterId: "",
      incarnationId: `I${String(brokerId).padStart(20, "0")}A`,
      listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port: 9000 + brokerId, securityProtocol: 0 }],
      features: [{ name: eventLevelFeature, minSupportedVersion: 1, maxSupportedVersion: replicationEventLevel }],
      rack: null,
      logDirs: [directory],
      keepsWhatItAcknowledged: true
    }),
    ({ brokerEpoch }) => brokerEpoch
  )

test("a heartbeat disowns replicas of its own broker alone, and a repetition changes nothing", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const links = yield* Effect.forEach([1, 2, 3], () => world.link(leader.address))
      const beat = (to: Link, brokerId: number, brokerEpoch: bigint, partitions: ReadonlyArray<number> = []) =>
        Effect.map(
          to.call(BrokerHeartbeat, {
            brokerId,
            brokerEpoch,
            currentMetadataOffset: brokerEpoch,
            wantFence: false,
            wantShutDown: false,
            disowned: partitions.length === 0 ? [] : [{ reason: 2, topics: [{ topicId, partitions }] }]
          }),
          ({ errorCode }) => kafkaError(errorCode)
        )
      const epochs = yield* Effect.forEach(links, (to, at) => Effect.tap(registered(to, at + 1), (epoch) => beat(to, at + 1, epoch)))
      yield* leader.writer.when(({ eventLevel }) => (eventLevel === replicationEventLevel ? true : undefined))
      const addTopic = Command.AddTopic({
        topic: "orders",
        topicId: topicId as never,
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
      const [one, two] = links as [Link, Link, Link]
      const [first] = epochs as [bigint, bigint, bigint]
      // On the connection of another broker, of a client, and with an older epoch.
      expect(yield* beat(two, 1, first, [0])).toBe("CLUSTER_AUTHORIZATION_FAILED")
      expect(yield* beat(yield* world.link(leader.address), 1, first, [0])).toBe("CLUSTER_AUTHORIZATION_FAILED")
      expect(yield* beat(one, 1, first - 1n, [0])).toBe("STALE_BROKER_EPOCH")
      expect(now()?.isr).toEqual([1, 2, 3] as never)
      // A partition that does not exist changes nothing.
      expect(yield* beat(one, 1, first, [7])).toBe("NONE")
      expect(now()?.isr).toEqual([1, 2, 3] as never)
      expect(yield* beat(one, 1, first, [0])).toBe("NONE")
      expect(now()).toMatchObject({ leader: 2, isr: [2, 3] })
      const index = leader.cluster().index
      expect(yield* beat(one, 1, first, [0])).toBe("NONE")
      expect(leader.cluster().index).toBe(index)
      expect(brokerOf(leader.cluster(), 1)).toMatchObject({ fenced: false })
    })
  )
})
