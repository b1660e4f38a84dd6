import { expect, test } from "bun:test"
import { Effect } from "effect"
import { Command } from "../../../domain/cluster/command.ts"
import { replicationEventLevel } from "../../../domain/cluster/event-level.ts"
import { brokerOf, topicByName } from "../../../domain/cluster/state.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { RunningLeader } from "../../../src/leader/leader.ts"
import { ElectLeaders } from "../../../src/protocol/message/43-elect-leaders.ts"
import { AlterPartitionReassignments } from "../../../src/protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../../src/protocol/message/46-list-partition-reassignments.ts"
import type { Link } from "../../../src/wire/link.ts"
import { World } from "../groups/support.ts"
import { heartbeat, joined } from "./support.ts"

/** A leader with brokers 1 to 4 and the topic "orders": partition 0 on 1, 2, 3, partition 1 on 2, 3, 1. Broker 4 is fenced where `fences`. */
const cluster = (world: World, fences = false) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    const links = yield* Effect.forEach([1, 2, 3, 4], () => world.link(leader.address))
    const epochs = yield* Effect.forEach(links, (to, at) => joined(to, at + 1))
    yield* leader.writer.when(({ eventLevel }) => (eventLevel === replicationEventLevel ? true : undefined))
    if (fences) yield* heartbeat(links[3] as Link, 4, epochs[3] as bigint, true)
    const command = Command.AddTopic({
      topic: "orders",
      topicId: "BvXgbDGDQkqSB0fKXyZf6Q" as never,
      partitionCount: -1,
      replicationFactor: -1,
      replicationFactorMax: 3,
      defaultPartitionCount: 1,
      partitionsPerBrokerMax: 1000,
      assignments: [
        { partition: 0, replicas: [1, 2, 3] },
        { partition: 1, replicas: [2, 3, 1] }
      ],
      configs: [],
      validateOnly: false
    })
    yield* leader.writer.submit({ command, commandId: "c", actor: "test", cause: "test" })
    return { leader, links, to: yield* world.link(leader.address) }
  })

const partitionOf = ({ cluster: state }: RunningLeader, index = 0) => topicByName(state(), "orders")?.partitions.at(index)

type Move = readonly [partition: number, replicas: ReadonlyArray<number> | null]
const alter = (to: Link, moves: ReadonlyArray<Move>, more: { readonly topic?: string; readonly allowReplicationFactorChange?: boolean } = {}) =>
  Effect.map(
    to.call(AlterPartitionReassignments, {
      allowReplicationFactorChange: more.allowReplicationFactorChange ?? true,
      topics: [{ name: more.topic ?? "orders", partitions: moves.map(([partitionIndex, replicas]) => ({ partitionIndex, replicas })) }]
    }),
    ({ responses }) => responses.flatMap(({ partitions }) => partitions.map(({ errorCode, errorMessage }) => [kafkaError(errorCode), errorMessage] as const))
  )
const list = (to: Link, partitions: ReadonlyArray<number> | null = null) =>
  Effect.map(to.call(ListPartitionReassignments, { topics: partitions === null ? null : [{ name: "orders", partitionIndexes: partitions }] }), ({ topics }) =>
    topics.flatMap(({ name, partitions: found }) =>
      found.map(({ addingReplicas, partitionIndex, removingReplicas, replicas }) => [`${name}-${partitionIndex}`, replicas, addingReplicas, removingReplicas])
    )
  )

test("a partition is moved, its reassignment is listed, replaced and cancelled", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* cluster(world)
      expect(yield* list(to)).toEqual([])
      expect(yield* alter(to, [[0, [4, 2, 1]]])).toEqual([["NONE", null]])
      expect(partitionOf(leader)).toMatchObject({ replicas: [4, 2, 1, 3], adding: [4], removing: [3], leader: 1 })
      const moving = [["orders-0", [4, 2, 1, 3], [4], [3]]]
      expect(yield* list(to)).toEqual(moving)
      expect(yield* list(to, [0, 1, 7])).toEqual(moving)
      expect(yield* list(to, [1])).toEqual([])
      // The same once more changes nothing.
      const { partitionEpoch } = partitionOf(leader) ?? {}
      expect(yield* alter(to, [[0, [4, 2, 1]]])).toEqual([["NONE", null]])
      expect(partitionOf(leader)?.partitionEpoch).toBe(partitionEpoch as never)
      expect(
        yield* alter(to, [
          [0, null],
          [1, null]
        ])
      ).toEqual([
        ["NONE", null],
        ["NO_REASSIGNMENT_IN_PROGRESS", "No reassignment of orders-1 is in progress."]
      ])
      expect(partitionOf(leader)).toMatchObject({ replicas: [2, 1, 3], adding: [], removing: [], leader: 1 })
      expect(yield* list(to)).toEqual([])
    })
  )
})

const wrong: ReadonlyArray<readonly [what: string, ask: (to: Link) => ReturnType<typeof alter>, error: string, sentence: RegExp]> = [
  ["no replica", (to) => alter(to, [[0, []]]), "INVALID_REPLICA_ASSIGNMENT", /empty replica list/],
  ["a replica twice", (to) => alter(to, [[0, [1, 2, 1]]]), "INVALID_REPLICA_ASSIGNMENT", /more than once/],
  ["an unknown broker", (to) => alter(to, [[0, [1, 2, 77]]]), "INVALID_REPLICA_ASSIGNMENT", /77, but no such broker/],
  ["a negative id", (to) => alter(to, [[0, [1, 2, -1]]]), "INVALID_REPLICA_ASSIGNMENT", /-1, but no such broker/],
  ["a fenced broker", (to) => alter(to, [[0, [1, 2, 4]]]), "INVALID_REPLICA_ASSIGNMENT", /broker 4: it is fenced/],
  ["an unknown partition", (to) => alter(to, [[9, [1, 2, 3]]]), "UNKNOWN_TOPIC_OR_PARTITION", /orders-9/],
  ["a negative partition", (to) => alter(to, [[-1, [1, 2, 3]]]), "UNKNOWN_TOPIC_OR_PARTITION", /orders--1/],
  ["an unknown topic", (to) => alter(to, [[0, [1, 2, 3]]], { topic: "nowhere" }), "UNKNOWN_TOPIC_OR_PARTITION", /nowhere-0/],
  ["an unknown topic, cancelled", (to) => alter(to, [[0, null]], { topic: "nowhere" }), "UNKNOWN_TOPIC_OR_PARTITION", /nowhere-0/],
  [
    "fewer replicas, which the request forbids",
    (to) => alter(to, [[0, [1, 2]]], { allowReplicationFactorChange: false }),
    "INVALID_REPLICATION_FACTOR",
    /has 3 replicas, the request names 2/
  ]
]

test.each(wrong)("a reassignment with %s changes nothing: %s", (_, ask, error, sentence) => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* cluster(world, true)
      const before = leader.cluster().topics
      const [answer] = yield* ask(to)
      expect(answer?.[0]).toBe(error as never)
      expect(answer?.[1]).toMatch(sentence)
      expect(leader.cluster().topics).toEqual(before)
      expect(yield* list(to)).toEqual([])
    })
  )
})

test("partitions of one request are decided each by itself; one that is named twice with other replicas is refused the second time", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* cluster(world)
      const answers = yield* alter(to, [
        [0, [4, 2, 1]],
        [1, [77]],
        [0, [1, 2, 4]],
        [0, [4, 2, 1]]
      ])
      expect(answers.map(([error]) => error)).toEqual(["NONE", "INVALID_REPLICA_ASSIGNMENT", "INVALID_REQUEST", "NONE"])
      expect(partitionOf(leader)).toMatchObject({ replicas: [4, 2, 1, 3], adding: [4] })
      expect(partitionOf(leader, 1)).toMatchObject({ replicas: [2, 3, 1], adding: [] })
    })
  )
})

const elect = (to: Link, electionType: number, partitions: ReadonlyArray<number> | null, topic = "orders") =>
  Effect.map(
    to.call(ElectLeaders, { electionType, topicPartitions: partitions === null ? null : [{ topic, partitions }] }),
    ({ errorCode, replicaElectionResults }) => [
      kafkaError(errorCode),
      ...replicaElectionResults.flatMap(({ partitionResult, topic: name }) =>
        partitionResult.map(({ errorCode: error, partitionId }) => `${name}-${partitionId} ${kafkaError(error)}`)
      )
    ]
  )

test("preferred leaders are elected where they can lead; an election that is not needed or not possible changes nothing", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const { leader, links, to } = yield* cluster(world)
      const epochOf = (id: number) => BigInt(brokerOf(leader.cluster(), id)?.epoch ?? -1)
      expect(yield* elect(to, 0, [0, 1])).toEqual(["NONE", "orders-0 ELECTION_NOT_NEEDED", "orders-1 ELECTION_NOT_NEEDED"])
      expect(yield* elect(to, 0, null)).toEqual(["NONE"])
      expect(yield* elect(to, 1, [0])).toEqual(["NONE", "orders-0 ELECTION_NOT_NEEDED"])
      expect(yield* elect(to, 0, [7, -1])).toEqual(["NONE", "orders-7 UNKNOWN_TOPIC_OR_PARTITION", "orders--1 UNKNOWN_TOPIC_OR_PARTITION"])
      expect(yield* elect(to, 0, [0], "nowhere")).toEqual(["NONE", "nowhere-0 UNKNOWN_TOPIC_OR_PARTITION"])
      expect(yield* elect(to, 2, [0])).toEqual(["INVALID_REQUEST", "orders-0 INVALID_REQUEST"])
      // The first replica of partition 1 becomes the first of partition 0 too: broker 2 is in sync and leads at once.
      yield* alter(to, [[0, [2, 1, 3]]])
      expect(partitionOf(leader)?.leader).toBe(1 as never)
      expect(yield* elect(to, 0, null)).toEqual(["NONE", "orders-0 NONE"])
      expect(partitionOf(leader)).toMatchObject({ leader: 2, leaderEpoch: 1 })
      // Broker 1 is fenced: it cannot lead partition 0 again.
      yield* heartbeat(links[0] as Link, 1, epochOf(1), true)
      yield* leader.writer.when((state) => (brokerOf(state, 1)?.leavingAt === undefined ? undefined : true))
      yield* alter(to, [[0, [1, 2, 3]]])
      const before = partitionOf(leader)
      expect(yield* elect(to, 0, [0])).toEqual(["NONE", "orders-0 PREFERRED_LEADER_NOT_AVAILABLE"])
      expect(partitionOf(leader)).toEqual(before as never)
    })
  )
})

test("an unclean election needs a partition without a leader, names who commanded it in the journal, and is refused while every replica is fenced", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const { leader, links, to } = yield* cluster(world)
      const stop = (id: number) =>
        Effect.gen(function* () {
          yield* leader.writer.submit({
            command: Command.FenceBroker({ brokerId: id as never, brokerEpoch: brokerOf(leader.cluster(), id)?.epoch as never }),
            commandId: `fence-${id}`,
            actor: "test",
            cause: "test"
          })
        })
      for (const id of [1, 2, 3]) yield* stop(id)
      expect(partitionOf(leader)?.leader).toBe(-1)
      expect(yield* elect(to, 1, [0])).toEqual(["NONE", "orders-0 ELIGIBLE_LEADERS_NOT_AVAILABLE"])
      expect(yield* elect(to, 0, [0])).toEqual(["NONE", "orders-0 PREFERRED_LEADER_NOT_AVAILABLE"])
      // Of the three, the one that was not in sync at last rejoins.
      const outOfSync = [1, 2].find((id) => !partitionOf(leader)?.isr.includes(id as never) && !partitionOf(leader)?.elr.includes(id as never)) ?? 1
      yield* heartbeat(links[outOfSync - 1] as Link, outOfSync, BigInt(brokerOf(leader.cluster(), outOfSync)?.epoch ?? -1))
      expect(partitionOf(leader)?.leader).toBe(-1)
      expect(yield* elect(to, 1, null)).toEqual(["NONE", "orders-0 NONE", "orders-1 NONE"])
      expect(partitionOf(leader)).toMatchObject({ leader: outOfSync, isr: [outOfSync], elr: [] })
    })
  )
})
