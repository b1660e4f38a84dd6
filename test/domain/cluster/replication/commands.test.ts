import { describe, expect, test } from "bun:test"
import { Schema } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import { lastCopies } from "../../../../domain/cluster/replication/disown.ts"
import { electionFault } from "../../../../domain/cluster/replication/elections.ts"
import { inSyncSetFault } from "../../../../domain/cluster/replication/in-sync.ts"
import { cancellationFault, reassignmentFault } from "../../../../domain/cluster/replication/reassignment.ts"
import { replacementOf } from "../../../../domain/cluster/replication/replacement.ts"
import { ClusterState, toSnapshot } from "../../../../domain/cluster/snapshot.ts"
import { brokerOf, type Cluster, topicByName } from "../../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import { addTopic, afterCommands, givenCluster, heartbeat, topicId } from "../support.ts"
import { alter, asked, brief, epochOf, fence, orders, partitionOf, registerReplica, replicatedCluster } from "./support.ts"

const three = orders(replicatedCluster(3))
const tags = (cluster: Cluster, command: Command | ((cluster: Cluster) => Command)) => givenCluster(cluster).tags(command)
const snapshotted = (cluster: Cluster): Cluster => Schema.decodeUnknownSync(ClusterState)(JSON.parse(JSON.stringify(Schema.encodeSync(ClusterState)(cluster))))

describe("placing", () => {
  const wide = { ...asked, partitionCount: 6, replicationFactor: 3 }
  test("a replication factor over the bound of the caller is refused with the bound", () =>
    expect(givenCluster(replicatedCluster(3)).rejection(addTopic("t", { replicationFactor: 3, replicationFactorMax: 2 }))).toMatchObject({
      error: "INVALID_REPLICATION_FACTOR",
      message: "Replication factor 3 is not possible: a partition has at most 2 replicas."
    }))
  test("below the event level of replication it is refused with both levels", () => {
    const base = givenCluster({ ...replicatedCluster(3), eventLevel: 1 })
    expect(base.rejection(addTopic("t", wide))).toMatchObject({ error: "UNSUPPORTED_VERSION", message: expect.stringContaining("event level 2") })
  })
  test("each broker leads as many partitions and has as many replicas as another", () => {
    const cluster = afterCommands(replicatedCluster(4), addTopic("orders", { ...wide, partitionCount: 8 }))
    const all = topicByName(cluster, "orders")?.partitions.map(({ replicas }) => replicas as ReadonlyArray<number>) ?? []
    const count = (of: ReadonlyArray<number>) => [1, 2, 3, 4].map((id) => of.filter((one) => one === id).length)
    expect(count(all.map(([first]) => first as number))).toEqual([2, 2, 2, 2])
    expect(count(all.flat())).toEqual([6, 6, 6, 6])
    expect(all.every((replicas) => new Set(replicas).size === 3)).toBe(true)
  })
  test("replicas of a partition are on different racks where there are enough", () => {
    const racks = ["a", "a", "b", "b", "c", "c"]
    const cluster = afterCommands(replicatedCluster(6, racks), addTopic("orders", { ...wide, partitionCount: 30 }))
    for (const { replicas } of topicByName(cluster, "orders")?.partitions ?? []) expect(new Set(replicas.map((id) => racks[id - 1])).size).toBe(3)
  })
  test("a fenced broker gets a replica only where the others are too few, as the last one, and joins later", () => {
    const cluster = afterCommands(replicatedCluster(4), fence(1))
    const replicas = (replicationFactor: number) =>
      topicByName(afterCommands(cluster, addTopic("t", { ...wide, replicationFactor })), "t")?.partitions.map((partition) => partition) ?? []
    expect(replicas(3).flatMap((partition) => partition.replicas)).not.toContain(1 as BrokerId)
    for (const { isr, leader, replicas: of } of replicas(4)) {
      expect(of[3]).toBe(1 as BrokerId)
      expect([isr, leader]).toEqual([of.slice(0, 3), of[0] as BrokerId])
    }
    expect(givenCluster(cluster).rejection(addTopic("t", { replicationFactor: 5 }))?.message).toContain("only 4 broker(s) are registered")
  })
  test("the default replication factor is that of the command", () => {
    const defaults = { partitionCount: 1, replicationFactor: -1, defaultReplicationFactor: 2 }
    expect(topicByName(afterCommands(replicatedCluster(3), addTopic("t", defaults)), "t")?.partitions.at(0)?.replicas).toHaveLength(2)
    expect(givenCluster(replicatedCluster(1)).rejection(addTopic("t", defaults))?.message).toContain("2 time(s)")
  })
  test("a broker that shuts down is no leader of a new partition, nor in its in-sync set", () => {
    const leaving = afterCommands(orders(replicatedCluster(3)), heartbeat(1, { wantShutDown: true }))
    const led = (...replicas: ReadonlyArray<number>) =>
      topicByName(
        afterCommands(
          leaving,
          addTopic("t", { ...asked, topicId: topicId(2), partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas }] })
        ),
        "t"
      )?.partitions.at(0)
    expect(led(1, 2)).toMatchObject({ leader: 2, isr: [2] })
  })
  test("a fenced broker of an assignment joins later; the first unfenced one leads", () => {
    const cluster = orders(afterCommands(replicatedCluster(3), fence(1)))
    expect(brief(cluster)).toEqual([2, 0, [2, 3], []])
  })
  test("all partitions of a topic have as many replicas, and new ones get as many", () => {
    const more = (assignments: ReadonlyArray<ReadonlyArray<number>> | null) =>
      Command.AddPartitions({ ...asked, topic: "orders", count: 2, assignments, partitionsPerBrokerMax: 100, validateOnly: false })
    expect(partitionOf(afterCommands(three, more(null)), 1).replicas).toHaveLength(3)
    expect(givenCluster(three).error(more([[1, 2]]))).toBe("INVALID_REPLICA_ASSIGNMENT")
  })
})

describe("fencing", () => {
  test("given a fenced leader, then a replica of the set leads, in rows before the fencing", () => {
    expect(tags(three, fence(1))).toEqual(["LeadersElected", "BrokerFenced"])
    expect(brief(afterCommands(three, fence(1)))).toEqual([2, 1, [2, 3], []])
    expect(tags(three, fence(2))).toEqual(["InSyncSetsChanged", "BrokerFenced"])
  })
  test("given all fenced, then those that left below min ISR are eligible, and the first unfenced one of them leads", () => {
    const none = afterCommands(three, fence(1), fence(2), fence(3))
    expect(brief(none)).toEqual([-1, 3, [], [2, 3]])
    expect(toSnapshot(snapshotted(none))).toEqual(toSnapshot(none))
    expect(tags(none, heartbeat(1))).toEqual(["BrokerUnfenced"])
    const back = afterCommands(none, heartbeat(1), heartbeat(3))
    expect(brief(back)).toEqual([3, 4, [3], [2]])
  })
  test("10,000 partitions: ten events with rows", () => {
    const wide = afterCommands(replicatedCluster(3), addTopic("wide", { ...asked, topicId: topicId(2), partitionCount: 10_000, replicationFactor: 3 }))
    const events = givenCluster(wide).events(fence(1))
    expect(events.length).toBeLessThanOrEqual(12)
    const after = afterCommands(wide, fence(1))
    for (const { isr, leader } of topicByName(after, "wide")?.partitions ?? [])
      expect([leader === 1, isr.includes(1 as BrokerId), isr.length]).toEqual([false, false, 2])
  })
  test("a removed registration takes its replicas out of the sets", () => {
    const gone = afterCommands(three, Command.UnregisterBroker({ brokerId: 1 }))
    expect([brief(gone), brokerOf(gone, 1)]).toEqual([[2, 1, [2, 3], []], undefined])
  })
})

describe("shutdown", () => {
  const leave = (id: number) => heartbeat(id, { wantShutDown: true })
  test("the broker first leaves the sets of what others can lead, then is fenced when it has read that", () => {
    expect(tags(three, leave(1))).toEqual(["BrokerLeaving", "LeadersElected"])
    const leaving = afterCommands(three, leave(1))
    expect([brief(leaving), brokerOf(leaving, 1)?.fenced]).toEqual([[2, 1, [2, 3], []], false])
    expect(toSnapshot(snapshotted(leaving))).toEqual(toSnapshot(leaving))
    expect(tags(leaving, heartbeat(1, { wantShutDown: true, metadataOffset: (brokerOf(leaving, 1)?.leavingAt as number) - 1 }))).toEqual([])
    expect(tags(leaving, leave(1))).toEqual(["BrokerFenced"])
  })
  test("KIP-841: a broker that shuts down joins no set", () => {
    const leaving = afterCommands(three, leave(3))
    expect(brief(leaving)).toEqual([1, 0, [1, 2], []])
    expect(tags(leaving, alter([1, 2, 3]))).toEqual([])
  })
  test("no new partition is placed on a broker that shuts down: it would have no leader", () => {
    const leaving = afterCommands(three, leave(1))
    const placed = topicByName(afterCommands(leaving, addTopic("next", { topicId: topicId(2) })), "next")
    expect(placed?.partitions.map(({ leader }) => leader as number)).not.toContain(1)
    const manual = { topicId: topicId(2), partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas: [1] }] }
    expect(givenCluster(leaving).error(addTopic("next", manual))).toBe("INVALID_REPLICA_ASSIGNMENT")
    const allLeave = afterCommands(leaving, fence(2), fence(3))
    expect(givenCluster(allLeave).error(addTopic("next", { topicId: topicId(2), partitionCount: 1 }))).toBe("INVALID_REPLICATION_FACTOR")
  })
  test("a partition that no other broker can lead is led until the broker is fenced", () => {
    const alone = afterCommands(three, fence(2), fence(3), heartbeat(1, { wantShutDown: true }))
    expect(brief(alone)).toEqual([1, 0, [1], [3]])
    expect(brief(afterCommands(alone, leave(1)))).toEqual([-1, 1, [], [1, 3]])
  })
})

describe("AlterInSyncSets", () => {
  const behind = afterCommands(three, alter([1, 2]))
  test("R7: shrinks and grows the set under the epochs of the partition", () => {
    expect([brief(behind), partitionOf(behind).partitionEpoch]).toEqual([[1, 0, [1, 2], []], 1])
    expect(brief(afterCommands(behind, alter([1, 3, 2])))).toEqual([1, 0, [1, 2, 3], []])
    // The same set raises the partition epoch: a copy of an older request that is under way is refused from then on.
    expect(tags(behind, alter([2, 1]))).toEqual(["InSyncSetsChanged"])
    expect(partitionOf(afterCommands(behind, alter([2, 1]))).partitionEpoch).toBe(2)
    expect(brief(afterCommands(behind, alter([1])))).toEqual([1, 0, [1], [2]])
  })
  const faultOf = (cluster: Cluster, make: (cluster: Cluster) => Command) => {
    const command = make(cluster) as Extract<Command, { _tag: "AlterInSyncSets" }>
    return inSyncSetFault(cluster, command.brokerId, command.partitions[0] as (typeof command.partitions)[number])?.error
  }
  const led = afterCommands(behind, fence(1), heartbeat(1))
  test.each([
    ["a newer leader epoch", led, alter([2], { leaderEpoch: 9 }), "NOT_CONTROLLER"],
    ["a newer partition epoch", led, alter([2], { partitionEpoch: 99 }), "NOT_CONTROLLER"],
    ["an older leader epoch", led, alter([2, 1], { leaderEpoch: 0 }), "FENCED_LEADER_EPOCH"],
    ["an older partition epoch", led, alter([2, 1], { partitionEpoch: 1 }), "INVALID_UPDATE_VERSION"],
    ["another broker than the leader", led, alter([1, 2], { by: 1 }), "INVALID_REQUEST"],
    ["a broker that is no replica", led, alter([2, 7]), "INVALID_REQUEST"],
    ["a broker twice", led, alter([2, 2]), "INVALID_REQUEST"],
    ["a set without the leader", led, alter([1]), "INVALID_REQUEST"],
    ["KIP-903: an old broker epoch of a replica that joins", led, alter([2, 1], { brokerEpochs: [0, 0] }), "INELIGIBLE_REPLICA"],
    ["KAFKA-13916: a fenced replica that joins", afterCommands(behind, fence(3)), alter([1, 2, 3]), "INELIGIBLE_REPLICA"]
  ])("%s: no event, and %s", (_, cluster, command, error) => {
    expect([tags(cluster, command), faultOf(cluster, command)]).toEqual([[], error] as never)
  })
  test("R5: an older broker epoch of the sender refuses the whole request", () =>
    expect(givenCluster(three).error(Command.AlterInSyncSets({ brokerId: 1, brokerEpoch: 0, partitions: [] }))).toBe("STALE_BROKER_EPOCH"))
  test("a partition that does not exist has no event, and the others of the request have theirs", () => {
    const command = alter([1])(behind) as Extract<Command, { _tag: "AlterInSyncSets" }>
    const strange = [{ ...command.partitions[0], topicId: topicId(9) }, { ...command.partitions[0], partition: 5 }, ...command.partitions]
    expect(tags(behind, { ...command, partitions: strange } as Command)).toEqual(["InSyncSetsChanged"])
  })
})

describe("min.insync.replicas", () => {
  test("when it falls, then the ELR is emptied in the same command", () => {
    const low = afterCommands(three, fence(2), fence(3))
    expect(brief(low)).toEqual([1, 0, [1], [3]])
    const set = Command.ChangeTopicConfigs({
      topic: "orders",
      replace: false,
      changes: [{ name: "min.insync.replicas", operation: "set", value: "1" }],
      validateOnly: false
    })
    expect(tags(low, set)).toEqual(["TopicConfigsChanged", "InSyncSetsChanged"])
    expect(brief(afterCommands(low, set))).toEqual([1, 0, [1], []])
  })
  test("that of all nodes counts where the topic has none", () => {
    const bare = Command.ChangeTopicConfigs({ topic: "orders", replace: true, changes: [], validateOnly: false })
    const all = Command.ChangeNodeConfigs({
      node: "",
      replace: false,
      changes: [{ name: "min.insync.replicas", operation: "set", value: "2" }],
      validateOnly: false
    })
    expect(brief(afterCommands(three, bare, all, fence(2), fence(3)))).toEqual([1, 0, [1], [3]])
  })
})

describe("ElectLeaders", () => {
  const elect = (kind: "preferred" | "unclean", topic = "orders") =>
    Command.ElectLeaders({ kind, partitions: [{ topic, partition: 0 }], commandedBy: "client" })
  const moved = afterCommands(three, fence(1), heartbeat(1), alter([1, 2, 3]))
  test("preferred: the first replica leads again", () => {
    expect(brief(moved)).toEqual([2, 1, [1, 2, 3], []])
    expect(brief(afterCommands(moved, elect("preferred")))).toEqual([1, 2, [1, 2, 3], []])
    expect(brief(afterCommands(moved, Command.ElectLeaders({ kind: "preferred", partitions: null, commandedBy: "client" })))).toEqual([1, 2, [1, 2, 3], []])
    expect(brief(afterCommands(moved, Command.BalanceLeaders({ imbalancePercentMax: 10, electionsMax: 100 })))).toEqual([1, 2, [1, 2, 3], []])
  })
  test.each([
    ["preferred", three, "orders", "ELECTION_NOT_NEEDED"],
    ["preferred", afterCommands(three, fence(1)), "orders", "PREFERRED_LEADER_NOT_AVAILABLE"],
    ["unclean", three, "orders", "ELECTION_NOT_NEEDED"],
    ["unclean", afterCommands(three, fence(1), fence(2), fence(3)), "orders", "ELIGIBLE_LEADERS_NOT_AVAILABLE"],
    ["preferred", three, "bills", "UNKNOWN_TOPIC_OR_PARTITION"]
  ] as const)("%s without need or possibility: no event", (kind, cluster, topic, error) => {
    expect([tags(cluster, elect(kind, topic)), electionFault(cluster, kind, { topic, partition: 0 })?.error]).toEqual([[], error])
  })
  test("R8: an unclean election is an event that says who commanded it and who had all records", () => {
    const lost = afterCommands(three, fence(1), fence(2), fence(3), heartbeat(1))
    expect(givenCluster(lost).events(elect("unclean"))).toMatchObject([
      { _tag: "LeaderElectedUncleanly", leader: 1, isr: [1], lastInSync: [2, 3], commandedBy: "client", leaderEpoch: 4 }
    ])
    expect(brief(afterCommands(lost, elect("unclean")))).toEqual([1, 4, [1], []])
  })
})

describe("reassignments", () => {
  const five = orders(replicatedCluster(5))
  const move = (replicas: ReadonlyArray<number>, more: { partition?: number; allow?: boolean } = {}) =>
    Command.ReassignPartitions({
      ...asked,
      partitions: [{ topic: "orders", partition: more.partition ?? 0, replicas }],
      allowReplicationFactorChange: more.allow ?? true,
      partitionsPerBrokerMax: 100
    })
  const cancel = Command.CancelReassignment({ partitions: [{ topic: "orders", partition: 0 }] })
  const moving = afterCommands(five, move([4, 2, 5]))
  test("adds the target, and removes the others when the target is in sync", () => {
    expect(partitionOf(moving)).toMatchObject({ replicas: [4, 2, 5, 1, 3], adding: [4, 5], removing: [1, 3], leader: 1, leaderEpoch: 0 })
    expect(toSnapshot(snapshotted(moving))).toEqual(toSnapshot(moving))
    const half = afterCommands(moving, alter([1, 2, 3, 4]))
    expect(partitionOf(half).adding).toEqual([4, 5] as never)
    expect(tags(half, alter([1, 2, 3, 4, 5]))).toEqual(["ReassignmentEnded"])
    const done = afterCommands(half, alter([1, 2, 3, 4, 5]))
    expect(partitionOf(done)).toMatchObject({ replicas: [4, 2, 5], adding: [], removing: [], isr: [4, 2, 5], leader: 4, leaderEpoch: 1 })
    expect([...done.load].sort().filter(([, count]) => count > 0)).toEqual([
      [2, 1],
      [4, 1],
      [5, 1]
    ] as never)
  })
  test("fewer replicas, all in sync: it is completed at once", () => {
    const fewer = afterCommands(five, move([2, 3]))
    expect(partitionOf(fewer)).toMatchObject({ replicas: [2, 3], isr: [2, 3], leader: 2, leaderEpoch: 1 })
  })
  test("a replication factor of 1 is raised, and the only replica is fenced meanwhile", () => {
    const one = orders(replicatedCluster(3), 2, [1])
    const raised = afterCommands(one, move([1, 2, 3]))
    expect(partitionOf(afterCommands(raised, fence(1)))).toMatchObject({ leader: -1, isr: [], elr: [1] })
    expect(brief(afterCommands(raised, fence(1), heartbeat(1), alter([1, 2, 3])))).toEqual([1, 2, [1, 2, 3], []])
  })
  test("cancelled: the replicas of before, and the added ones leave the set", () => {
    const back = afterCommands(moving, alter([1, 2, 3, 4]), cancel)
    expect(partitionOf(back)).toMatchObject({
      replicas: [2, 1, 3],
      isr: [2, 1, 3],
      adding: [],
      removing: [],
      leaderEpoch: 1
    })
  })
  test("one that replaces another adds what is not in sync yet, and removes what the other added", () => {
    const other = afterCommands(moving, move([4, 1, 2]))
    expect(partitionOf(other)).toMatchObject({ replicas: [4, 1, 2, 5, 3], adding: [4], removing: [5, 3] })
  })
  test.each([
    [[], {}, "INVALID_REPLICA_ASSIGNMENT"],
    [[1, 1], {}, "INVALID_REPLICA_ASSIGNMENT"],
    [[1, 9], {}, "INVALID_REPLICA_ASSIGNMENT"],
    [[1, 2, 5], {}, "INVALID_REPLICA_ASSIGNMENT"],
    [[1, 2], { allow: false }, "INVALID_REPLICATION_FACTOR"],
    [[1, 2, 4], { partition: 7 }, "UNKNOWN_TOPIC_OR_PARTITION"]
  ])("to %j %j: no event, and %s", (replicas, more, error) => {
    const cluster = afterCommands(five, fence(5))
    const command = move(replicas, more) as Extract<Command, { _tag: "ReassignPartitions" }>
    expect(tags(cluster, command)).toEqual([])
    expect(reassignmentFault(cluster, command.partitions[0] as (typeof command.partitions)[number], command)?.error).toBe(error as never)
  })
  test("to the replicas that it has: no event, and no fault", () => expect(tags(five, move([1, 2, 3]))).toEqual([]))
  test("without a reassignment nothing is cancelled, nor where no original replica is in sync", () => {
    expect([tags(five, cancel), cancellationFault(five, { topic: "orders", partition: 0 })?.error]).toEqual([[], "NO_REASSIGNMENT_IN_PROGRESS"])
    const only = afterCommands(five, move([4, 5, 1]), alter([1, 2, 3, 4]), fence(2), fence(3), fence(1))
    expect(partitionOf(only)).toMatchObject({ leader: 4, isr: [4] })
    expect([tags(only, cancel), cancellationFault(only, { topic: "orders", partition: 0 })?.error]).toEqual([[], "INVALID_REPLICA_ASSIGNMENT"])
  })
})

describe("replacement of a broker", () => {
  const replace = Command.ReplaceBroker({ brokerId: 1 as BrokerId, movesMax: 50, partitionsPerBrokerMax: 100 })
  test("a fenced broker's replicas are given to the live broker of its rack with the fewest", () => {
    const racks = ["a", "b", "c", "b", "a"]
    const cluster = afterCommands(orders(replicatedCluster(5, racks)), fence(1))
    expect(partitionOf(afterCommands(cluster, replace))).toMatchObject({ replicas: [5, 2, 3, 1], adding: [5], removing: [1] })
    const done = afterCommands(cluster, replace, alter([2, 3, 5]))
    expect(partitionOf(done)).toMatchObject({ replicas: [5, 2, 3], isr: [5, 2, 3], leader: 2 })
  })
  test("at most so many at a time; an unfenced broker, and too few brokers: no event", () => {
    const many = afterCommands(replicatedCluster(4), addTopic("orders", { ...asked, partitionCount: 8, replicationFactor: 3 }), fence(1))
    expect(tags(many, { ...replace, movesMax: 2 } as Command)).toEqual(["ReassignmentBegan", "ReassignmentBegan"])
    expect(tags(afterCommands(many, { ...replace, movesMax: 2 } as Command), { ...replace, movesMax: 2 } as Command)).toEqual([])
    expect(tags(three, replace)).toEqual([])
    expect(tags(afterCommands(three, fence(1)), replace)).toEqual([])
  })
})

describe("what a replacement leaves alone", () => {
  const replace = Command.ReplaceBroker({ brokerId: 1 as BrokerId, movesMax: 1, partitionsPerBrokerMax: 100 })
  const all = (cluster: Cluster) => topicByName(cluster, "orders")?.partitions.map(({ replicas }) => replicas as ReadonlyArray<number>) ?? []
  test("without a broker in the lost one's rack, a rack that has no replica of the partition comes before the fewest partitions", () => {
    const racks = ["a", "b", "c", "b", "d"]
    const busy = afterCommands(
      orders(replicatedCluster(5, racks)),
      addTopic("busy", { ...asked, topicId: topicId(2), partitionCount: -1, replicationFactor: -1, assignments: [{ partition: 0, replicas: [5] }] }),
      fence(1)
    )
    expect(all(afterCommands(busy, replace))).toEqual([[5, 2, 3, 1]])
  })
  test("a partition without a leader waits, and holds up no other", () => {
    const both = addTopic("orders", {
      ...asked,
      partitionCount: -1,
      replicationFactor: -1,
      assignments: [
        { partition: 0, replicas: [1, 2] },
        { partition: 1, replicas: [1, 3] }
      ],
      configs: []
    })
    const cluster = afterCommands(replicatedCluster(4), both, fence(1), fence(2))
    expect(replacementOf(cluster, 1 as BrokerId)).toEqual({ due: 1, moving: 0, waiting: 1 })
    const moved = afterCommands(cluster, replace)
    expect(all(moved)).toEqual([
      [1, 2],
      [4, 3, 1]
    ])
    expect(replacementOf(moved, 1 as BrokerId)).toEqual({ due: 0, moving: 1, waiting: 1 })
    // The move has lost its leader: it is no reason not to begin the next one.
    expect(replacementOf(afterCommands(moved, fence(3)), 1 as BrokerId)).toEqual({ due: 0, moving: 0, waiting: 2 })
  })
  test("a partition with one copy waits for its broker", () => {
    const cluster = afterCommands(orders(replicatedCluster(3), 1, [1]), fence(1))
    expect([tags(cluster, replace), replacementOf(cluster, 1 as BrokerId)]).toEqual([[], { due: 0, moving: 0, waiting: 1 }])
  })
})

describe("lost logs", () => {
  const disown =
    (id: number, partition = 0) =>
    (cluster: Cluster) =>
      Command.DisownReplicas({ brokerId: id, brokerEpoch: epochOf(cluster, id), reason: "missing", partitions: [{ topicId: topicId(1), partition }] })
  test("KAFKA-14139: a broker with an empty log leaves the sets, and leads nothing by it", () => {
    expect(tags(three, disown(1))).toEqual(["ReplicasDisowned", "LeadersElected"])
    expect(brief(afterCommands(three, disown(1)))).toEqual([2, 1, [2, 3], []])
    const last = afterCommands(three, fence(2), fence(3), fence(1))
    expect(brief(afterCommands(last, disown(1)))).toEqual([-1, 2, [], [3]])
    expect(brief(afterCommands(last, disown(1), heartbeat(1)))).toEqual([-1, 2, [], [3]])
    expect(tags(three, disown(1, 9))).toEqual([])
  })
  test("a running broker that lost a log: the leader cannot take the replica up by what it fetched before", () => {
    const of = (reason: "damage" | "missing") => (cluster: Cluster) =>
      Command.DisownReplicas({ ...(disown(3)(cluster) as Extract<Command, { _tag: "DisownReplicas" }>), reason })
    const before = afterCommands(three, of("damage"))
    expect(brief(before)).toEqual([1, 1, [1, 2], []])
    // The leader's proposal was under way.
    const { partitions } = alter([1, 2, 3])(three) as Extract<Command, { _tag: "AlterInSyncSets" }>
    expect(inSyncSetFault(before, 1, partitions[0] as (typeof partitions)[number])?.error).toBe("FENCED_LEADER_EPOCH")
    // Not in the set, but perhaps about to join: the epoch rises all the same.
    expect(brief(afterCommands(before, of("damage")))).toEqual([1, 2, [1, 2], []])
    expect(tags(before, of("missing"))).toEqual([])
  })
  test("a broker without space leaves the set where another one can lead, and is eligible where the set is too small without it", () => {
    const full = (id: number) => (cluster: Cluster) =>
      Command.DisownReplicas({ ...(disown(id)(cluster) as Extract<Command, { _tag: "DisownReplicas" }>), reason: "unwritable" })
    expect(givenCluster(three).events(full(1))).toMatchObject([{ _tag: "ReplicasDisowned", reason: "disk" }, { _tag: "LeadersElected" }])
    const one = afterCommands(three, full(1))
    expect(brief(one)).toEqual([2, 1, [2, 3], []])
    // The leader stays, and the epoch rises: what the follower fetched before does not take it up again.
    const two = afterCommands(one, full(3))
    expect(brief(two)).toEqual([2, 2, [2], [3]])
    // No other broker can lead: the partition can be read at least.
    expect(tags(two, full(2))).toEqual([])
    expect(tags(two, full(3))).toEqual([])
    expect(brief(afterCommands(two, fence(2)))).toEqual([3, 3, [3], [2]])
    expect(lastCopies(two, { brokerId: 2, reason: "unwritable", partitions: [{ topicId: topicId(1), partition: 0 }] })).toBe(0)
  })
  test("of brokers that all lost their logs the last one to report keeps its place: no copy is disowned without another", () => {
    const two = afterCommands(three, disown(1), disown(2))
    expect(brief(two).slice(2)).toEqual([[3], []])
    expect(lastCopies(two, { brokerId: 3, reason: "missing", partitions: [{ topicId: topicId(1), partition: 0 }] })).toBe(1)
    expect(lastCopies(two, { brokerId: 2, reason: "missing", partitions: [{ topicId: topicId(1), partition: 0 }] })).toBe(0)
    expect(tags(two, disown(3))).toEqual([])
  })
  test("a broker that may lack what it acknowledged leaves the sets when it registers", () => {
    const last = afterCommands(three, fence(2), fence(3), fence(1))
    // The last copy leads again: there is no better one.
    const alone = afterCommands(
      three,
      disown(2),
      disown(3),
      fence(1),
      registerReplica(1, { incarnationId: "second", keepsWhatItAcknowledged: false }),
      heartbeat(1)
    )
    expect(brief(alone).filter((_, at) => at !== 1)).toEqual([1, [1], []])
    const again = (keepsWhatItAcknowledged: boolean) => registerReplica(1, { incarnationId: "second", keepsWhatItAcknowledged, directories: ["d1"] })
    expect(brief(afterCommands(last, again(true), heartbeat(1)))).toEqual([1, 2, [1], [3]])
    const unsure = afterCommands(last, again(false), heartbeat(1))
    expect(brief(unsure)).toEqual([-1, 2, [], [3]])
    expect(brokerOf(unsure, 1)?.directories).toEqual(["d1"])
    expect(givenCluster(last).events(again(false)).at(-1)).toMatchObject({ v: 2, keepsWhatItAcknowledged: false, brokerEpoch: last.index + 1 })
  })
  test("lost records are reported by a replica, as a range of offsets", () => {
    const lost = (more: object) => (cluster: Cluster) =>
      Command.ReportLostRecords({ brokerId: 2, brokerEpoch: epochOf(cluster, 2), topicId: topicId(1), partition: 0, leaderEpoch: 1, from: 3, to: 5, ...more })
    expect(givenCluster(three).events(lost({}))).toMatchObject([{ _tag: "RecordsLost", brokerId: 2, from: 3, to: 5 }])
    expect(toSnapshot(afterCommands(three, lost({})))).toMatchObject({ topics: toSnapshot(three).topics })
    expect([givenCluster(three).error(lost({ to: 3 })), givenCluster(three).error(lost({ partition: 4 }))]).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"])
  })
})
