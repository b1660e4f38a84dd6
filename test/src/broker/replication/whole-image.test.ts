import { expect, test } from "bun:test"
import { Duration, Effect, Schedule } from "effect"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { createTopics } from "../../groups/support.ts"
import { createReplicated, partitionOf, ReplicatedWorld, until } from "./support.ts"

const ofOrders = { topics: [{ topicId: null as never, name: "orders" }], allowAutoTopicCreation: false }

test("a broker that starts with an empty disk tells clients of the whole cluster, and of nothing before that", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [1, 2])
      // So many events that the broker reads the journal in several pieces.
      const link = yield* world.linkTo("leader")
      for (let run = 0; run < 8; run++) yield* createTopics(link, ...Array.from({ length: 200 }, (_, nth) => [`other-${run}-${nth}`, 1] as const))
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* second.stop
      world.network.conditions = { ...world.network.conditions, delayMs: [1, 5] }
      world.wipe(2)
      yield* Effect.fork(world.broker(2))
      // As soon as it listens, and again and again.
      for (let asked = 0; asked < 50; asked++) {
        const to = yield* Effect.retry(world.link(2), Schedule.spaced(1))
        const { brokers, topics } = yield* to.call(Metadata, ofOrders, { version: 9 })
        // It is fenced itself until it serves.
        expect([brokers.some(({ nodeId }) => nodeId === 1), topics.map(({ errorCode, name }) => [name, errorCode])]).toEqual([true, [["orders", 0]]])
      }
    })
  )
})

test("a broker whose leader gives nothing tells clients of an empty cluster after a while", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      yield* world.broker(1)
      const to = yield* world.link(1)
      const [took, { brokers }] = yield* Effect.timed(to.call(Metadata, ofOrders, { version: 9 }))
      expect([brokers, Math.round(Duration.toSeconds(took))]).toEqual([[], 5])
    })
  )
})
