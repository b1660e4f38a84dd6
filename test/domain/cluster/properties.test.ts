import { describe, expect, test } from "bun:test"
import { Either, HashMap, Schema } from "effect"
import fc from "fast-check"
import { changesBetween } from "../../../domain/cluster/changes.ts"
import { Command } from "../../../domain/cluster/command.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import { BrokerRegistered, Event, PartitionLeaderChanged, PartitionPlaced, TopicAdded } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { ClusterState, toSnapshot } from "../../../domain/cluster/snapshot.ts"
import { brokerOf, type Cluster, charactersOf, initial, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { place } from "../../../domain/cluster/topic/placement.ts"
import { Bug } from "../../../domain/kernel/bug.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import type { BrokerId, TopicName } from "../../../domain/kernel/id.ts"
import { addTopic, heartbeat, register, topicId, up, withoutPartitionEpochs } from "./support.ts"

type Step = (cluster: Cluster, n: number) => Command
const name = fc.constantFrom("orders", "a.b", "a_b", "bills", "", "..", "__cluster_metadata")
const id = fc.integer({ min: 0, max: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(id, fc.integer({ min: 0, max: 2 }), fc.integer({ min: 9000, max: 9001 }), fc.boolean()).map(
    ([b, process, port, isConnected]): Step =>
      () =>
        register(b, `p${process}`, port, isConnected)
  ),
  fc.tuple(id, fc.boolean()).map(
    ([b, asked]): Step =>
      (cluster) =>
        asked ? Command.UnregisterBroker({ brokerId: b }) : Command.ForgetBroker({ brokerId: b as BrokerId, brokerEpoch: brokerOf(cluster, b)?.epoch ?? 0 })
  ),
  fc.tuple(id, fc.boolean(), fc.boolean(), fc.boolean()).map(
    ([b, caughtUp, wantFence, wantShutDown]): Step =>
      (cluster) =>
        heartbeat(b, { ...(caughtUp ? {} : { metadataOffset: -1 }), wantFence, wantShutDown })(cluster)
  ),
  id.map(
    (b): Step =>
      (cluster) =>
        Command.FenceBroker({ brokerId: b as BrokerId, brokerEpoch: brokerOf(cluster, b)?.epoch ?? 0 })
  ),
  fc.tuple(name, fc.integer({ min: -2, max: 9 }), fc.integer({ min: -1, max: 2 }), fc.boolean()).map(
    ([topic, partitionCount, replicationFactor, validateOnly]): Step =>
      (_, n) =>
        addTopic(topic, { topicId: topicId(n), partitionCount, replicationFactor, validateOnly })
  ),
  fc.tuple(name, fc.constantFrom("segment.bytes", "retention.ms", "none"), fc.constantFrom("1048576", "-1", "x"), fc.boolean()).map(
    ([topic, setting, value, replace]): Step =>
      () =>
        Command.ChangeTopicConfigs({ topic, replace, changes: [{ name: setting, operation: "set", value }], validateOnly: false })
  ),
  fc.tuple(fc.constantFrom("", "0", "1", "4", "x"), fc.constantFrom("log.retention.ms", "node.id", "none"), fc.constantFrom("1048576", "x"), fc.boolean()).map(
    ([node, setting, value, replace]): Step =>
      () =>
        Command.ChangeNodeConfigs({ node, replace, changes: replace ? [] : [{ name: setting, operation: "set", value }], validateOnly: false })
  ),
  fc.tuple(name, fc.integer({ min: -1, max: 20 })).map(
    ([topic, count]): Step =>
      () =>
        Command.AddPartitions({ topic, count, assignments: null, partitionsPerBrokerMax: 200_000, validateOnly: false })
  ),
  name.map(
    (topic): Step =>
      () =>
        Command.RemoveTopic({ topic: { name: topic } })
  ),
  fc.tuple(id, fc.integer({ min: 0, max: 3 })).map(
    ([b, count]): Step =>
      (cluster) =>
        Command.AllocateProducerIds({ brokerId: b, brokerEpoch: brokerOf(cluster, b)?.epoch, count })
  ),
  fc.constant<Step>(() => Command.FoundCluster({ clusterId: "c" })),
  fc.constant<Step>(() => Command.ElectLeader({ nodeId: 0 as BrokerId, host: "h", port: 1, epoch: 1 }))
)
const history = fc.array(step, { maxLength: 60 }).map((steps) => {
  const events: Array<Event> = []
  let cluster = initial
  steps.forEach((next, n) => {
    const command = next(cluster, n)
    const once = decide(cluster, command)
    expect(decide(cluster, command)).toEqual(once)
    for (const event of Either.getOrElse(once, () => [])) {
      events.push(event)
      cluster = evolve(cluster, event)
    }
  })
  return { events, cluster }
})
const encode = Schema.encodeSync(ClusterState)
const decode = Schema.decodeSync(ClusterState)
/** What a broker reacts to. */
const visible = (cluster: Cluster) => {
  const { brokers, nodeConfigs, topics } = toSnapshot(cluster)
  return {
    brokers: brokers.map(({ leavingAt: _, ...broker }) => broker),
    nodeConfigs: nodeConfigs?.filter(({ configs }) => Object.keys(configs).length > 0) ?? [],
    topics: topics.map(withoutPartitionEpochs)
  }
}

describe("random commands", () => {
  test("M1, M2: a snapshot at any event and the rest of them make the same state as all of them; the state knows its index", () => {
    fc.assert(
      fc.property(history, fc.double({ min: 0, max: 1, noNaN: true }), ({ events, cluster }, part) => {
        const at = Math.floor(part * events.length)
        const snapshot = decode(JSON.parse(JSON.stringify(encode(fold(evolve, initial, events.slice(0, at))))))
        const rest = fold(evolve, snapshot, events.slice(at))
        expect(toSnapshot(rest)).toEqual(toSnapshot(cluster))
        expect(rest.index).toBe(events.length)
        const loads = (state: Cluster) => [...state.load].filter(([, count]) => count !== 0).sort()
        expect(loads(rest)).toEqual(loads(cluster))
        expect(rest.configCharacters).toBe(cluster.configCharacters)
        const configs = [...HashMap.values(cluster.topics)].map(({ configs }) => configs).concat([...HashMap.values(cluster.nodeConfigs)])
        expect(cluster.configCharacters).toBe(configs.reduce((sum, each) => sum + charactersOf(each), 0))
        expect([...rest.unifiedNames].sort()).toEqual([...cluster.unifiedNames].sort())
      }),
      { numRuns: 200 }
    )
  })
  test("the changes between two images lead a reader of the first to the brokers, settings and topics of the second", () => {
    fc.assert(
      fc.property(history, fc.double({ min: 0, max: 1, noNaN: true }), ({ events, cluster }, part) => {
        const before = fold(evolve, initial, events.slice(0, Math.floor(part * events.length)))
        expect(changesBetween(cluster, cluster)).toEqual([])
        expect(visible(fold(evolve, before, changesBetween(before, cluster)))).toEqual(visible(cluster))
      }),
      { numRuns: 200 }
    )
  })
  test("M3: every event survives its JSON", () => {
    fc.assert(
      fc.property(history, ({ events }) => {
        for (const event of events) expect(Schema.decodeSync(Event)(JSON.parse(JSON.stringify(Schema.encodeSync(Event)(event))))).toEqual(event)
      }),
      { numRuns: 50 }
    )
  })
  test("M7, R1, R2: a partition has one known broker, its leader is that broker and is unfenced, or it has no leader; names and ids are one to one", () => {
    fc.assert(
      fc.property(history, ({ events, cluster }) => {
        for (const topic of HashMap.values(cluster.topics)) {
          expect(topicByName(cluster, topic.name)).toBe(topic)
          expect(topic.partitions.length).toBeGreaterThan(0)
          for (const { replicas, isr, leader } of topic.partitions) {
            expect(replicas.length).toBe(1)
            const broker = brokerOf(cluster, replicas[0] as number)
            expect(leader === -1 ? broker?.fenced !== false : broker?.fenced === false && isr.includes(leader)).toBe(true)
          }
        }
        expect(HashMap.size(cluster.topicIds)).toBe(HashMap.size(cluster.topics))
        let before = initial
        for (const event of events) {
          const after = evolve(before, event)
          for (const [topicId, { partitions }] of before.topics) {
            const next = topicById(after, topicId)?.partitions
            for (const [index, { leader, leaderEpoch }] of [...partitions].entries()) {
              const now = next?.at(index)
              if (now !== undefined) expect(now.leaderEpoch).toBe(leaderEpoch + (now.leader === leader ? 0 : 1))
            }
          }
          before = after
        }
      }),
      { numRuns: 200 }
    )
  })
})

test("placement: within a topic no broker leads two more than another, and over many topics neither", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }), (brokers, topics) => {
      let cluster = up(brokers)
      const spread = (counts: ReadonlyArray<number>) => Math.max(...counts) - Math.min(...counts)
      topics.forEach((partitionCount, n) => {
        const placed = place(
          [...Array(brokers).keys()].map((b) => ({ id: (b + 1) as BrokerId, rack: null, life: "unfenced" as const })),
          cluster,
          partitionCount
        ).flat()
        expect(spread([...Array(brokers).keys()].map((b) => placed.filter((broker) => broker === b + 1).length))).toBeLessThanOrEqual(1)
        cluster = fold(evolve, cluster, Either.getOrThrow(decide(cluster, addTopic(`t${n}`, { topicId: topicId(n), partitionCount }))))
      })
      const loads = [...Array(brokers).keys()].map((b) =>
        Either.getOrElse(
          Either.fromOption(HashMap.get(cluster.load, (b + 1) as BrokerId), () => 0),
          () => 0
        )
      )
      expect(spread(loads)).toBeLessThanOrEqual(1)
    }),
    { numRuns: 100 }
  )
})

test("a topic of 10,000 partitions whose leaders change ten times each folds without copying it whole each time", () => {
  let cluster = evolve(initial, new TopicAdded({ topic: "wide" as TopicName, topicId: topicId(1), configs: {} }))
  const b = 1 as BrokerId
  for (let partition = 0; partition < 10_000; partition++)
    cluster = evolve(cluster, new PartitionPlaced({ topicId: topicId(1), partition, replicas: [b], isr: [b], leader: b, leaderEpoch: 0 }))
  for (let round = 1; round <= 10; round++)
    for (let partition = 0; partition < 10_000; partition++)
      cluster = evolve(cluster, new PartitionLeaderChanged({ topicId: topicId(1), partition, leader: b, leaderEpoch: round, isr: [b] }))
  expect(topicByName(cluster, "wide")?.partitions.at(9_999)).toMatchObject({ leaderEpoch: 10, partitionEpoch: 10 })
  expect(cluster.index).toBe(110_001)
})

test("R1, R5: a leader epoch or a broker epoch that falls is a bug, and stops the node that folds it", () => {
  const b = 1 as BrokerId
  const place = (leaderEpoch: number) => new PartitionPlaced({ topicId: topicId(1), partition: 0, replicas: [b], isr: [b], leader: b, leaderEpoch })
  const lead = (leaderEpoch: number) => new PartitionLeaderChanged({ topicId: topicId(1), partition: 0, leader: b, leaderEpoch, isr: [b] })
  const one = fold(evolve, initial, [new TopicAdded({ topic: "t" as TopicName, topicId: topicId(1), configs: {} }), place(0), lead(3)])
  expect(() => evolve(one, lead(2))).toThrow(Bug)
  expect(() => evolve(one, place(2))).toThrow(Bug)
  expect(topicById(evolve(one, lead(3)), topicId(1))?.partitions.at(0)).toMatchObject({ leaderEpoch: 3, partitionEpoch: 2 })
  const registered = (brokerEpoch: number) => new BrokerRegistered({ brokerId: b, incarnationId: "p", brokerEpoch, host: "h", port: 1, rack: null })
  expect(() => evolve(evolve(one, registered(5)), registered(4))).toThrow(Bug)
  expect(brokerOf(evolve(evolve(one, registered(5)), registered(6)), 1)?.epoch).toBe(6)
})
