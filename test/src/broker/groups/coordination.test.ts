import { describe, expect, test } from "bun:test"
import { Effect, Exit, Fiber, Logger, LogLevel, Scope } from "effect"
import { knownEventLevel, replicationEventLevel } from "../../../../domain/cluster/event-level.ts"
import { groupPartitions } from "../../../../domain/cluster/topic/group-metadata.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../../domain/kernel/config.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { givenGroupSettings } from "../../../../src/leader/groups/hand-over.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { ListGroups } from "../../../../src/protocol/message/16-list-groups.ts"
import { DeleteTopics } from "../../../../src/protocol/message/20-delete-topics.ts"
import { Member, offsetsOf } from "../../groups/support.ts"
import { createReplicated, isolate, ReplicatedWorld, until } from "../replication/support.ts"
import { batch } from "../support.ts"
import { coordinating, movedTo } from "./coordinating.ts"

const config: Partial<NodeConfig> = {
  "franz.groups.engine": "partitions",
  "offsets.topic.num.partitions": 4,
  "offsets.topic.replication.factor": 3,
  "group.initial.rebalance.delay.ms": 0,
  "metadata.snapshot.interval.events": 20
}
const brokers = [1, 2, 3]

const isHandedOver = (leader: RunningLeader) => leader.writer.when((cluster) => (groupPartitions(cluster) === undefined ? undefined : true))

describe("groups on partitions", () => {
  test("the leader hands its groups over once there are enough brokers; a group keeps members, generation and offsets over that and over the deaths of coordinators", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader(config)
        const running = new Map<number, { readonly stop: Effect.Effect<void> }>()
        for (const id of [1, 2]) running.set(id, yield* world.broker(id, config))
        yield* createReplicated(leader, [1, 2])
        const before = new Member(yield* world.link(1), "g", "a")
        expect(yield* before.enter()).toBe(`for ${before.memberId}`)
        expect(yield* before.commit("orders", 0, 41)).toBe("NONE")
        expect(groupPartitions(leader.cluster())).toBeUndefined()
        // Until the handover an older version can take part.
        expect(leader.cluster().eventLevel).toBe(replicationEventLevel)

        running.set(3, yield* world.broker(3, config))
        yield* isHandedOver(leader)
        yield* leader.writer.when(({ eventLevel }) => (eventLevel === knownEventLevel ? true : undefined))
        const first = yield* coordinating(world, 1, "g")
        let member = movedTo(before, first.to)
        expect(yield* member.beat()).toBe("NONE")
        expect(yield* offsetsOf(first.to, "g")).toEqual({ "orders-0": 41 })

        let coordinator = first.id
        for (let offset = 42; offset < 45; offset++) {
          expect(yield* member.commit("orders", 0, offset)).toBe("NONE")
          yield* running.get(coordinator)?.stop ?? Effect.void
          const ask = brokers.find((id) => id !== coordinator) as number
          const next = yield* coordinating(world, ask, "g", coordinator)
          running.set(coordinator, yield* world.broker(coordinator, config))
          member = movedTo(member, next.to)
          expect([yield* member.beat(), yield* offsetsOf(next.to, "g")]).toEqual(["NONE", { "orders-0": offset }])
          // The broker that restarts joins the in-sync sets again before the next one stops.
          yield* until(() => [...(groupPartitions(leader.cluster())?.partitions ?? [])].every(({ isr }) => isr.length === 3))
          coordinator = next.id
        }
      })
    )
  }, 120_000)

  test("a coordinator that is cut off acknowledges no commit, its successor has every acknowledged one, and it gives the groups up when its image has the successor", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const strict = { ...config, "min.insync.replicas": 2 }
        const leader = yield* world.leader(strict)
        for (const id of brokers) yield* world.broker(id, strict)
        yield* createReplicated(leader, brokers)
        yield* isHandedOver(leader)
        const first = yield* coordinating(world, 1, "g")
        const old = new Member(first.to, "g", "a", { sessionTimeoutMs: 60_000 })
        expect(yield* old.enter()).toBe(`for ${old.memberId}`)
        expect(yield* old.commit("orders", 0, 7)).toBe("NONE")

        isolate(world, first.id)
        expect(yield* old.commit("orders", 0, 8)).toBe("COORDINATOR_NOT_AVAILABLE")
        const next = yield* coordinating(world, brokers.find((id) => id !== first.id) as number, "g", first.id)
        const member = movedTo(old, next.to)
        expect([yield* member.beat(), yield* offsetsOf(next.to, "g")]).toEqual(["NONE", { "orders-0": 7 }])
        expect(yield* member.commit("orders", 0, 9)).toBe("NONE")

        world.network.heal()
        yield* until(() => [...(groupPartitions(leader.cluster())?.partitions ?? [])].every(({ isr }) => isr.length === 3))
        expect(yield* old.beat()).toBe("NOT_COORDINATOR")
        expect(yield* offsetsOf(next.to, "g")).toEqual({ "orders-0": 9 })
      })
    )
  }, 120_000)

  test("every broker lists its own groups; the topic is internal, and no client changes it", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader(config)
        for (const id of brokers) yield* world.broker(id, config)
        yield* createReplicated(leader, brokers)
        yield* isHandedOver(leader)
        const names = ["a", "b", "c", "d", "e", "f"]
        for (const name of names) {
          const { to } = yield* coordinating(world, 1, name)
          expect(yield* new Member(to, name, "m").enter()).toStartWith("for ")
        }
        const listed: Array<string> = []
        for (const id of brokers) listed.push(...(yield* (yield* world.link(id)).call(ListGroups, {})).groups.map(({ groupId }) => groupId))
        expect(listed.sort()).toEqual(names)

        const to = yield* world.link(1)
        const { topics } = yield* to.call(Metadata, { topics: null }, { version: 9 })
        const own = topics.find(({ name }) => name === "__group_metadata")
        expect([own?.isInternal, own?.partitions.length, own?.partitions[0]?.replicaNodes.length]).toEqual([true, 4, 3])
        expect(topics.find(({ name }) => name === "__consumer_offsets")?.partitions.map(({ leaderId }) => leaderId)).toEqual(
          own?.partitions.map(({ leaderId }) => leaderId)
        )
        const produced = yield* to.call(
          Produce,
          {
            acks: 1,
            timeoutMs: 1000,
            topicData: [{ name: "__group_metadata", partitionData: [0, 1, 2, 3].map((index) => ({ index, records: batch(["x"]) })) }]
          },
          { version: 9 }
        )
        expect(produced.responses[0]?.partitionResponses.map(({ errorCode }) => kafkaError(errorCode))).toEqual(
          Array.from({ length: 4 }, () => "INVALID_TOPIC_EXCEPTION" as const)
        )
        const removed = yield* to.call(DeleteTopics, { topicNames: ["__group_metadata"], timeoutMs: 1000 }, { version: 5 })
        expect(removed.responses.map(({ errorCode }) => kafkaError(errorCode))).toEqual(["INVALID_TOPIC_EXCEPTION"])
      })
    )
  }, 120_000)
})

test("with the default settings groups commit, rebalance and begin while no process leads the cluster", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const leader = yield* Scope.extend(world.leader({ "group.initial.rebalance.delay.ms": 0 }), scope)
      for (const id of brokers) yield* world.broker(id, { "group.initial.rebalance.delay.ms": 0 })
      yield* createReplicated(leader, brokers)
      yield* isHandedOver(leader)
      const { id, to } = yield* coordinating(world, 1, "g")
      const first = new Member(to, "g", "a", { sessionTimeoutMs: 60_000 })
      expect(yield* first.enter()).toBe(`for ${first.memberId}`)
      // Every stream is open: a group that begins later may be in any of them.
      for (const name of ["b", "c", "d", "e", "f", "h"]) yield* coordinating(world, 2, name)
      yield* Scope.close(scope, Exit.void)

      yield* Effect.sleep(20_000)
      expect([yield* first.beat(), yield* first.commit("orders", 0, 41)]).toEqual(["NONE", "NONE"])
      const second = new Member(yield* world.link(id), "g", "b", { sessionTimeoutMs: 60_000 })
      const entering = yield* Effect.fork(second.enter())
      yield* Effect.sleep(100)
      expect(yield* first.beat()).toBe("REBALANCE_IN_PROGRESS")
      expect(yield* first.enter()).toStartWith("for ")
      expect(yield* Fiber.join(entering)).toStartWith("for ")
      expect([first.generation, second.generation]).toEqual([2, 2])
      for (const name of ["b", "c", "d", "e", "f", "h"]) {
        const found = yield* coordinating(world, 3, name)
        const member = new Member(found.to, name, "m")
        expect([yield* member.enter(), yield* member.commit("orders", 0, 7)]).toEqual([`for ${member.memberId}`, "NONE"])
      }
    })
  )
}, 120_000)

test("a leader in a process of its own warns at the handover of its settings of groups that brokers may not have", () => {
  const world = new ReplicatedWorld()
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (logLevel.label === "WARN" && lines.push(String(message))))
  const heard = <A, E, R>(start: Effect.Effect<A, E, R>) =>
    start.pipe(Logger.withMinimumLogLevel(LogLevel.Warning), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  return world.run(
    Effect.gen(function* () {
      const leader = yield* heard(world.leader({ "offsets.retention.minutes": 43_200, "group.initial.rebalance.delay.ms": 0 }))
      for (const id of brokers) yield* world.broker(id)
      yield* isHandedOver(leader)
      yield* until(() => lines.length > 0)
      expect(lines).toEqual([
        "From now on each broker coordinates groups by its own settings. This leader has group.initial.rebalance.delay.ms=0, offsets.retention.minutes=43200: give every broker the same."
      ])
    })
  )
}, 120_000)

test("that warning names no default of franz up, which the operator did not give", () => {
  const config = { ...defaultNodeConfig, "group.initial.rebalance.delay.ms": 0, "offsets.retention.minutes": 43_200 }
  expect(givenGroupSettings({ config, written: new Set(["offsets.retention.minutes"]) })).toEqual(["offsets.retention.minutes=43200"])
  expect(givenGroupSettings({ config })).toEqual(["group.initial.rebalance.delay.ms=0", "offsets.retention.minutes=43200"])
})

describe("clusters whose leader keeps the groups", () => {
  const later = 60_000
  test("without settings a cluster of fewer brokers than replicas has no event of a handover, and one of three has one", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        yield* world.broker(1)
        yield* createReplicated(leader, [1])
        const { index } = leader.cluster()
        yield* world.broker(2)
        yield* Effect.sleep(later)
        // Broker 2 was registered and unfenced.
        expect([leader.cluster().index - index, leader.cluster().eventLevel, groupPartitions(leader.cluster())]).toEqual([2, replicationEventLevel, undefined])
        yield* world.broker(3)
        yield* isHandedOver(leader)
        expect([...(groupPartitions(leader.cluster())?.partitions ?? [])].map(({ replicas }) => replicas.length)).toEqual([3, 3, 3, 3])
      })
    )
  }, 120_000)

  test.each([{ "offsets.topic.replication.factor": 1 }, { "franz.groups.engine": "leader" }] as const)(
    "%j: three brokers, and no handover",
    (settings) => {
      const world = new ReplicatedWorld()
      return world.run(
        Effect.gen(function* () {
          const leader = yield* world.leader(settings)
          for (const id of brokers) yield* world.broker(id)
          yield* createReplicated(leader, brokers)
          yield* Effect.sleep(later)
          expect([leader.cluster().eventLevel, groupPartitions(leader.cluster())]).toEqual([replicationEventLevel, undefined])
          const member = new Member(yield* world.link(1), "g", "a")
          expect([yield* member.enter(), yield* member.commit("orders", 0, 41)]).toEqual([`for ${member.memberId}`, "NONE"])
        })
      )
    },
    120_000
  )
})
