import { describe, expect, test } from "bun:test"
import { type ClusterState, type DirectoryState, findingsOf } from "../../../../src/cli/admin/doctor/findings.ts"

const broker = (id: number, isFenced = false) => ({ id, host: "127.0.0.1", port: 9092 + id, isFenced })
const cluster = (
  partitions: ReadonlyArray<readonly [leader: number, replicas: ReadonlyArray<number>, isr: ReadonlyArray<number>]>,
  more: Partial<ClusterState> & { readonly minIsr?: number } = {}
): ClusterState => ({
  isLed: more.isLed ?? true,
  brokers: more.brokers ?? [broker(1), broker(2), broker(3)],
  topics: [
    { name: "orders", minIsr: more.minIsr ?? 2, partitions: partitions.map(([leader, replicas, isr], partition) => ({ partition, leader, replicas, isr })) }
  ],
  moves: more.moves ?? [],
  directories: more.directories,
  groups: more.groups
})
const directory = (broker: number, logs: ReadonlyArray<string>, more: Partial<DirectoryState> = {}): DirectoryState => ({
  broker,
  path: `/data/${broker}`,
  isOffline: false,
  totalBytes: 1e12,
  usableBytes: 5e11,
  logs: new Set(logs),
  ...more
})
const found = (state: ClusterState) => findingsOf(state).map(({ brokers, kind, partitions, severity }) => [severity, kind, partitions, brokers] as const)

describe("the doctor", () => {
  test("finds nothing where every partition has its leader and all its replicas", () => {
    expect(found(cluster([[1, [1, 2, 3], [1, 2, 3]]]))).toEqual([])
    expect(found(cluster([], { brokers: [] }))).toEqual([])
  })
  test("says first that no leader of the cluster responds, and then what the brokers knew", () => {
    const state = cluster([[1, [1, 2, 3], [1, 2]]], { isLed: false, brokers: [broker(1), broker(2), broker(3, true)] })
    expect(found(state)).toEqual([
      ["problem", "no cluster leader", [], []],
      ["problem", "under-replicated", ["orders-0"], [3]],
      ["problem", "fenced broker", ["orders-0"], [3]]
    ])
    expect(findingsOf(state)[0]?.advice).toContain("a candidate for its role")
  })
  test("names a partition without a leader, and what starts it or elects another", () => {
    const state = cluster(
      [
        [-1, [1, 2, 3], [1]],
        [2, [2, 3, 1], [2, 3]]
      ],
      { brokers: [broker(1, true), broker(2), broker(3)] }
    )
    expect(found(state)).toEqual([
      ["problem", "offline", ["orders-0"], [1, 2, 3]],
      ["problem", "under-replicated", ["orders-1"], [1]],
      ["problem", "fenced broker", ["orders-0", "orders-1"], [1]]
    ])
    expect(findingsOf(state)[0]?.advice).toContain("`franz partition elect --unclean orders-0`")
  })
  test("tells under min ISR from under-replicated; a topic with fewer replicas than min.insync.replicas is not under it", () => {
    expect(found(cluster([[1, [1, 2, 3], [1]]]))).toEqual([
      ["problem", "under min ISR", ["orders-0"], [2, 3]],
      ["problem", "under-replicated", ["orders-0"], [2, 3]]
    ])
    expect(found(cluster([[1, [1], [1]]]))).toEqual([])
  })
  test("a replica that a move adds is not behind, and the move is a note", () => {
    const moving = cluster([[1, [4, 1, 2, 3], [1, 2, 3]]], {
      brokers: [1, 2, 3, 4].map((id) => broker(id)),
      moves: [{ topic: "orders", partition: 0, adding: [4], removing: [3] }]
    })
    expect(found(moving)).toEqual([["note", "moves under way", ["orders-0"], [3, 4]]])
    expect(findingsOf(moving)[0]?.message).toBe("1 partition is moved to other brokers: orders-0 (to 4, from 3).")
  })
  test("a preferred leader that is in sync and does not lead is a note; one that cannot lead is not", () => {
    expect(found(cluster([[2, [1, 2, 3], [1, 2, 3]]]))).toEqual([["note", "unbalanced leaders", ["orders-0"], [2]]])
    expect(found(cluster([[2, [1, 2, 3], [2, 3]]])).map(([, kind]) => kind)).toEqual(["under-replicated"])
  })
  test("a fenced broker without partitions is a note; one with the only copy says that it is waited for", () => {
    expect(found(cluster([[1, [1, 2], [1, 2]]], { brokers: [broker(1), broker(2), broker(3, true)] }))).toEqual([["note", "fenced broker", [], [3]]])
    const only = findingsOf(cluster([[-1, [3], [3]]], { brokers: [broker(1), broker(3, true)] }))
    expect(only.find(({ kind }) => kind === "fenced broker")?.advice).toBe("Start it with its data. 1 partition has no other copy and waits for it.")
  })
  test("a leader whose log is damaged or missing is a problem, with the command that lets another replica lead", () => {
    const state = cluster([[1, [1, 2], [1]]], { minIsr: 1, directories: [directory(1, []), directory(2, ["orders-0"])] })
    expect(found(state)[0]).toEqual(["problem", "leader without log", ["orders-0"], [1]])
    expect(findingsOf(state)[0]?.advice).toContain("stop broker 1, and `franz partition elect --unclean orders-0`")
    // Its other directory is offline, or the broker was not asked: the log may be fine.
    const offline = cluster([[1, [1], [1]]], { directories: [directory(1, []), directory(1, [], { path: "/other", isOffline: true })] })
    expect(found(offline).map(([, kind]) => kind)).toEqual(["offline directory"])
    expect(found(cluster([[1, [1], [1]]], { directories: [directory(2, [])] }))).toEqual([])
  })
  test("a disk with little space is a problem", () => {
    const state = cluster([[1, [1], [1]]], { directories: [directory(1, ["orders-0"], { usableBytes: 4096 }), directory(2, [], { usableBytes: undefined })] })
    expect(found(state)).toEqual([["problem", "full disk", ["orders-0"], [1]]])
    expect(findingsOf(state)[0]?.message).toContain("The data directory /data/1 of broker 1 has 4096 of 1000000000000 bytes left.")
    expect(found(cluster([], { directories: [directory(1, [], { totalBytes: 268_435_456, usableBytes: 6e6 })] }))).toEqual([])
  })
  test("a broker that has replicas and no registration is a problem", () => {
    expect(found(cluster([[1, [1, 9], [1]]], { minIsr: 1 }))).toEqual([
      ["problem", "under-replicated", ["orders-0"], [9]],
      ["problem", "unregistered broker", ["orders-0"], [9]]
    ])
  })
  test("groups that the leader keeps although enough brokers serve are a note; with fewer brokers, or where the operator wants it so, they are not", () => {
    const keeps = (handoverAtBrokers: number | null) => found(cluster([], { groups: { coordinatedBy: "leader", handoverAtBrokers, keptBy: null } }))
    expect(keeps(3)).toEqual([["note", "groups not handed over", [], [1, 2, 3]]])
    expect([keeps(4), keeps(null)]).toEqual([[], []])
    expect(found(cluster([], { groups: { coordinatedBy: "brokers", handoverAtBrokers: null, keptBy: null } }))).toEqual([])
  })
  test("of many partitions a line names ten, and the list has all", () => {
    const [offline] = findingsOf(cluster(Array.from({ length: 25 }, () => [-1, [1], [1]] as const)))
    expect(offline?.partitions).toHaveLength(25)
    expect(offline?.message).toContain("orders-9 and 15 more")
  })
})
