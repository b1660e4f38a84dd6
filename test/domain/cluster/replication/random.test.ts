import { expect, test } from "bun:test"
import { Either, Schema } from "effect"
import fc from "fast-check"
import { changesBetween } from "../../../../domain/cluster/changes.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { decide } from "../../../../domain/cluster/decide.ts"
import { effectiveMinIsr } from "../../../../domain/cluster/election.ts"
import type { Event } from "../../../../domain/cluster/event.ts"
import { evolve } from "../../../../domain/cluster/evolve.ts"
import { ClusterState, toSnapshot } from "../../../../domain/cluster/snapshot.ts"
import { brokerOf, type Cluster, type Partition, topicByName } from "../../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import { addTopic, heartbeat, topicId, withoutPartitionEpochs } from "../support.ts"
import { epochOf, fence, registerReplica, replicatedCluster } from "./support.ts"

const brokers = [1, 2, 3, 4]
const partitionCount = 2
const name = "orders"
const partitionsOf = (cluster: Cluster): ReadonlyArray<Partition> => [...(topicByName(cluster, name)?.partitions ?? [])]
const first: Cluster = (() => {
  const assignments = [
    { partition: 0, replicas: [1, 2, 3] },
    { partition: 1, replicas: [2, 3, 4] }
  ]
  const configs = [{ name: "min.insync.replicas", value: "2" }]
  return after(
    replicatedCluster(4),
    addTopic(name, { topicId: topicId(1), partitionCount: -1, replicationFactor: -1, replicationFactorMax: 5, assignments, configs })
  )
})()
function after(cluster: Cluster, command: Command): Cluster {
  return Either.getOrThrow(decide(cluster, command)).reduce(evolve, cluster)
}

type Step = (cluster: Cluster, n: number) => Command
const broker = fc.constantFrom(...brokers)
const partition = fc.nat(partitionCount - 1)
const replicas = fc.shuffledSubarray(brokers, { minLength: 1, maxLength: 3 })

/** AlterPartition as the leader of the partition sends it, with another set: of any replicas, and sometimes under an older epoch. */
const altered =
  (index: number, wanted: ReadonlyArray<number>, age: number): Step =>
  (cluster) => {
    const { leader, leaderEpoch, partitionEpoch, replicas: all } = partitionsOf(cluster)[index] as Partition
    const isr = all.filter((id) => id === leader || wanted.includes(id)).map((id) => ({ brokerId: id, brokerEpoch: epochOf(cluster, id) }))
    const request = { topicId: topicId(1), partition: index, leaderEpoch, partitionEpoch: partitionEpoch - age, isr }
    return Command.AlterInSyncSets({ brokerId: leader, brokerEpoch: epochOf(cluster, leader), partitions: [request] })
  }
const moved = (index: number, target: ReadonlyArray<number>) =>
  Command.ReassignPartitions({
    partitions: [{ topic: name, partition: index, replicas: target }],
    allowReplicationFactorChange: true,
    partitionsPerBrokerMax: 100,
    replicationFactorMax: 3
  })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: broker.map(
      (id): Step =>
        (cluster) =>
          fence(id)(cluster)
    )
  },
  { weight: 5, arbitrary: broker.map((id): Step => heartbeat(id)) },
  { weight: 1, arbitrary: broker.map((id): Step => heartbeat(id, { wantShutDown: true })) },
  {
    weight: 2,
    arbitrary: fc.tuple(broker, fc.boolean()).map(
      ([id, keepsWhatItAcknowledged]): Step =>
        (_, n) =>
          registerReplica(id, { incarnationId: `process ${n}`, keepsWhatItAcknowledged })
    )
  },
  {
    weight: 1,
    arbitrary: broker.map(
      (brokerId): Step =>
        () =>
          Command.UnregisterBroker({ brokerId })
    )
  },
  { weight: 6, arbitrary: fc.tuple(partition, fc.subarray(brokers), fc.constantFrom(0, 0, 0, 1)).map((args) => altered(...args)) },
  {
    weight: 3,
    arbitrary: fc.tuple(partition, replicas).map(
      (args): Step =>
        () =>
          moved(...args)
    )
  },
  {
    weight: 1,
    arbitrary: partition.map(
      (index): Step =>
        () =>
          Command.CancelReassignment({ partitions: [{ topic: name, partition: index }] })
    )
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom("preferred", "unclean"), fc.option(partition)).map(
      ([kind, index]): Step =>
        () =>
          Command.ElectLeaders({ kind, partitions: index === null ? null : [{ topic: name, partition: index }], commandedBy: "test" })
    )
  },
  { weight: 1, arbitrary: fc.constant<Step>(() => Command.BalanceLeaders({ imbalancePercentMax: 10, electionsMax: 10 })) },
  {
    weight: 2,
    arbitrary: fc.tuple(broker, partition, fc.constantFrom("disk", "damage", "missing", "unwritable")).map(
      ([brokerId, index, reason]): Step =>
        (cluster) =>
          Command.DisownReplicas({ brokerId, brokerEpoch: epochOf(cluster, brokerId), reason, partitions: [{ topicId: topicId(1), partition: index }] })
    )
  },
  {
    weight: 1,
    arbitrary: broker.map(
      (id): Step =>
        () =>
          Command.ReplaceBroker({ brokerId: id as BrokerId, movesMax: 1, partitionsPerBrokerMax: 100 })
    )
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("1", "2", "3").map(
      (value): Step =>
        () =>
          Command.ChangeTopicConfigs({ topic: name, replace: false, changes: [{ name: "min.insync.replicas", operation: "set", value }], validateOnly: false })
    )
  }
)

const isWithin = (some: ReadonlyArray<number>, all: ReadonlyArray<number>): boolean =>
  new Set(some).size === some.length && some.every((id) => all.includes(id))

/** What holds after each event. */
const checkPartition = ({ adding, elr, isr, leader, removing, replicas: all }: Partition): void => {
  expect(leader === -1 || isr.includes(leader)).toBe(true)
  expect([isWithin(all, all), isWithin(isr, all), isWithin(elr, all), isWithin(adding, all), isWithin(removing, all)]).toEqual([true, true, true, true, true])
  expect(isr.filter((id) => elr.includes(id))).toEqual([])
  expect(adding.filter((id) => removing.includes(id))).toEqual([])
  expect(all.length).toBeGreaterThan(removing.length)
  // The copies on which the cluster counts never become none.
  expect(isr.length + elr.length).toBeGreaterThan(0)
}

const targetOf = ({ removing, replicas: all }: Partition): ReadonlyArray<number> => all.filter((id) => !removing.includes(id))
const originalOf = ({ adding, replicas: all }: Partition): ReadonlyArray<number> => all.filter((id) => !adding.includes(id))
/** Without the order: the replicas of a cancelled move have the order of the move. */
const sorted = (all: ReadonlyArray<number>): ReadonlyArray<number> => [...all].sort()

/** What one event of a command may do to a partition. */
const checkChange = (before: Partition, now: Partition, event: Event, command: Command): void => {
  expect([now.leaderEpoch >= before.leaderEpoch, now.partitionEpoch >= before.partitionEpoch]).toEqual([true, true])
  if (now.leader !== before.leader) expect(now.leaderEpoch).toBeGreaterThan(before.leaderEpoch)
  const { leaderEpoch, partitionEpoch, ...state } = now
  const { leaderEpoch: _, partitionEpoch: __, ...stateBefore } = before
  if (!Bun.deepEquals(state, stateBefore)) expect(partitionEpoch).toBe(before.partitionEpoch + 1)
  // R8. A replica that its leader has found to be in sync may lead by the same event: a reassignment ends, or the leader shuts down.
  const joined = command._tag === "AlterInSyncSets" ? command.partitions.flatMap((each) => each.isr.map((one) => one.brokerId)) : []
  const isClean = now.leader === -1 || [...before.isr, ...before.elr, ...joined].includes(now.leader)
  expect(isClean || event._tag === "LeaderElectedUncleanly").toBe(true)
  if (event._tag === "ReassignmentBegan") {
    expect(sorted(now.removing)).toEqual(sorted(before.replicas.filter((id) => !targetOf(now).includes(id))))
    return
  }
  // Replicas change by reassignments alone; one ends with its target, or with what was before it.
  if (event._tag !== "ReassignmentEnded") expect(now.replicas).toEqual(before.replicas)
  else if (event.outcome === "completed") {
    expect(now.replicas).toEqual(targetOf(before) as never)
    expect(before.adding.filter((id) => !now.isr.includes(id))).toEqual([])
  } else expect(sorted(now.replicas)).toEqual(sorted(originalOf(before)))
}

/** What holds after each command. */
const checkCluster = (cluster: Cluster): void => {
  const minIsr = Number(topicByName(cluster, name)?.configs["min.insync.replicas"])
  const canLead = (id: number): boolean => brokerOf(cluster, id)?.fenced === false && brokerOf(cluster, id)?.leavingAt === undefined
  for (const { elr, isr, leader, replicas: all } of partitionsOf(cluster)) {
    // R2: a leader serves. A partition that a broker can lead is led.
    if (leader !== -1) expect(brokerOf(cluster, leader)?.fenced).toBe(false)
    else expect((isr.length > 0 ? isr : elr).filter(canLead)).toEqual([])
    if (isr.length >= effectiveMinIsr(minIsr, all.length)) expect(elr).toEqual([])
    // A fenced broker is in an in-sync set where it has the only copy alone, also while that is moved.
    if (isr.length > 1 || elr.length > 0) expect(isr.filter((id) => brokerOf(cluster, id)?.fenced !== false)).toEqual([])
  }
}

const snapshotted = (cluster: Cluster): Cluster => Schema.decodeUnknownSync(ClusterState)(JSON.parse(JSON.stringify(Schema.encodeSync(ClusterState)(cluster))))

/** All brokers run again, and each leader finds its replicas in sync. */
const healed = (cluster: Cluster): Cluster => {
  let state = cluster
  const run = (next: Step, n: number) => {
    state = after(state, next(state, n))
  }
  brokers.forEach((id, n) => run(() => registerReplica(id, { incarnationId: `healed ${n}` }), n))
  for (const id of brokers) run(heartbeat(id), 0)
  partitionsOf(state).forEach(({ replicas: all }, index) => run(altered(index, all, 0), 0))
  return state
}

test("random commands on partitions with several replicas: leaders are in sync, in-sync sets and ELRs are disjoint, epochs rise, moves end with their target", () => {
  const reached = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
      let cluster = first
      for (const [n, next] of steps.entries()) {
        const command = next(cluster, n)
        for (const event of Either.getOrElse(decide(cluster, command), () => [])) {
          const state = evolve(cluster, event)
          const key = event._tag === "ReassignmentEnded" ? `${event._tag} ${event.outcome}` : event._tag
          reached.set(key, (reached.get(key) ?? 0) + 1)
          partitionsOf(state).forEach((now, index) => {
            checkPartition(now)
            const before = partitionsOf(cluster)[index] as Partition
            if (now !== before) checkChange(before, now, event, command)
          })
          for (const id of brokers) if (brokerOf(state, id) !== undefined) expect(epochOf(state, id)).toBeGreaterThanOrEqual(epochOf(cluster, id))
          cluster = state
        }
        checkCluster(cluster)
      }
      expect(toSnapshot(snapshotted(cluster))).toEqual(toSnapshot(cluster))
      // A broker that begins anew with a snapshot learns of every partition that is another.
      const told = changesBetween(first, cluster).reduce(evolve, first)
      expect(toSnapshot(told).topics.map(withoutPartitionEpochs)).toEqual(toSnapshot(cluster).topics.map(withoutPartitionEpochs))
      const ends = partitionsOf(healed(cluster))
      for (const [index, { adding, elr, isr, leader, removing, replicas: all }] of ends.entries()) {
        expect([adding, removing, elr, leader === -1]).toEqual([[], [], [], false])
        expect(sorted(isr)).toEqual(sorted(all))
        expect(all as ReadonlyArray<number>).toEqual(targetOf(partitionsOf(cluster)[index] as Partition))
      }
    }),
    { numRuns: 100 }
  )
  // Each kind of event was reached.
  const kinds = ["LeadersElected", "InSyncSetsChanged", "LeaderElectedUncleanly", "ReassignmentBegan", "ReplicasDisowned", "BrokerLeaving"]
  for (const kind of [...kinds, "ReassignmentEnded completed", "ReassignmentEnded cancelled"]) expect([kind, reached.get(kind) ?? 0]).not.toEqual([kind, 0])
})
