import { describe, expect, test } from "bun:test"
import type { History, RoleSeen } from "../history.ts"
import { clusterFold } from "../world/folds.ts"
import { event, given, invariants } from "./given.ts"
import { checkReplication } from "./replication.ts"

const topicId = "BvXgbDGDQkqSB0fKXyZf6Q"
const registered = (brokerId: number, brokerEpoch: number) => ({
  _tag: "BrokerRegistered",
  v: 2,
  brokerId,
  incarnationId: `process-${brokerId}`,
  brokerEpoch,
  host: `broker-${brokerId}`,
  port: 9092,
  rack: null,
  eventLevel: 2,
  keepsWhatItAcknowledged: true
})
const begin = [
  { _tag: "ClusterFounded", v: 1, clusterId: "c" },
  registered(1, 1),
  registered(2, 2),
  { _tag: "EventLevelRaised", v: 1, level: 2 },
  { _tag: "TopicAdded", v: 1, topic: "t", topicId, configs: {} },
  { _tag: "PartitionPlaced", v: 1, topicId, partition: 0, replicas: [1, 2, 3], isr: [1, 2], leader: 1, leaderEpoch: 0 }
]
const elected = (leader: number, leaderEpoch: number, isr: ReadonlyArray<number>, elr: ReadonlyArray<number> = []) => ({
  _tag: "LeadersElected",
  v: 1,
  topicId,
  reason: "fenced",
  rows: [[0, leader, leaderEpoch, isr, elr]]
})
const role = (broker: number, leaderEpoch: number, isr: ReadonlyArray<number>): RoleSeen => ({
  broker,
  node: `broker-${broker}.1`,
  topicId,
  partition: 0,
  leaderEpoch,
  isr
})
const journal = (events: ReadonlyArray<{ readonly _tag: string } & Record<string, unknown>>, more: Partial<History> = {}): History =>
  given({
    journals: [{ at: 50, stream: clusterFold.stream, events: [...begin, ...events].map((each, index) => event(index, each)), snapshot: undefined }],
    ...more
  })
const broken = (events: Parameters<typeof journal>[0], more: Partial<History> = {}) => invariants(checkReplication(journal(events, more), clusterFold))

describe("the journal", () => {
  test("elections from the in-sync set and the ELR pass", () => {
    expect(broken([elected(2, 1, [2], [1]), elected(-1, 2, [], [1, 2]), elected(1, 3, [1], [2])])).toEqual([])
  })
  test("R1: one epoch with two leaders", () => {
    expect(broken([elected(2, 0, [2], [1])])).toEqual(["R1"])
  })
  test("R2: a leader that is not in the in-sync set", () => expect(broken([elected(2, 1, [1], [2])])).toEqual(["R2"]))
  test("R7: an in-sync set with a broker that has no replica", () => expect(broken([elected(2, 1, [2, 7])])).toEqual(["R7"]))
  test("R8: a leader that was neither in sync nor eligible", () => expect(broken([elected(3, 1, [3])])).toEqual(["R8"]))
  test("R8: an unclean election that no client asked for", () => {
    const unclean = { _tag: "LeaderElectedUncleanly", v: 1, topicId, partition: 0, leader: 3, leaderEpoch: 1, isr: [3], lastInSync: [1, 2], commandedBy: "x" }
    expect(broken([unclean])).toContain("R8")
  })
})

describe("what brokers believe", () => {
  test("a leader with an in-sync set of its epoch passes, also later", () => {
    expect(broken([elected(2, 1, [2], [1])], { roles: [role(1, 0, [1, 2]), role(2, 1, [2])] })).toEqual([])
  })
  test("R1: a broker leads an epoch of another, or one that is not journalled", () => {
    expect(broken([], { roles: [role(2, 0, [1, 2])] })).toEqual(["R1"])
    expect(broken([], { roles: [role(1, 1, [1, 2])] })).toEqual(["R1"])
  })
  test("R7: a leader goes by an in-sync set that is not journalled", () => expect(broken([], { roles: [role(1, 0, [1, 2, 3])] })).toEqual(["R7"]))
})
