import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const values = (count: number) => Array.from({ length: count }, (_, n) => `record ${n}`)
let commands = 0
const submit = (leader: RunningLeader, command: Command) => leader.writer.submit({ command, commandId: `move-${commands++}`, actor: "test", cause: "test" })
/** Moves orders-0 to these replicas. */
const move = (leader: RunningLeader, replicas: ReadonlyArray<number>) =>
  submit(
    leader,
    Command.ReassignPartitions({
      partitions: [{ topic: "orders", partition: 0, replicas }],
      allowReplicationFactorChange: true,
      replicationFactorMax: 3,
      partitionsPerBrokerMax: 1000
    })
  )
const cancel = (leader: RunningLeader) => submit(leader, Command.CancelReassignment({ partitions: [{ topic: "orders", partition: 0 }] }))
/** Directories of logs on a broker's disk. */
const logsOn = (world: ReplicatedWorld, id: number): number => {
  const disk = (world.disks.get(id) as MemoryDisk).session()
  return disk.list("/data").filter((name) => name.startsWith("BvXgbDGDQkqSB0fKXyZf6Q")).length
}
const isMoved = (leader: RunningLeader) => () => partitionOf(leader)?.adding.length === 0 && partitionOf(leader)?.removing.length === 0

describe("a partition with one copy", () => {
  test("gets three, and loses nothing: the leader that had it alone waits for the others from then on", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const first = yield* world.broker(1)
        yield* world.broker(2)
        yield* world.broker(3)
        yield* createReplicated(leader, [1])
        yield* leader.writer.when((cluster) => ([...cluster.brokers].filter(([, { fenced }]) => !fenced).length === 3 ? true : undefined))
        const to = yield* world.link(1)
        for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
        yield* move(leader, [1, 2, 3])
        for (let n = 5; n < 10; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
        yield* until(() => partitionOf(leader)?.isr.length === 3 && isMoved(leader)())
        yield* first.stop
        yield* until(() => partitionOf(leader)?.leader === 2)
        expect(yield* valuesOn(yield* world.link(2))).toEqual(values(10))
      })
    )
  })
  test("moves to another broker while records are written, and the old broker's log is gone", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        yield* world.broker(1)
        yield* world.broker(2)
        yield* createReplicated(leader, [1])
        yield* leader.writer.when((cluster) => ([...cluster.brokers].filter(([, { fenced }]) => !fenced).length === 2 ? true : undefined))
        const to = yield* world.link(1)
        for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
        expect(logsOn(world, 1)).toBe(1)
        yield* move(leader, [2])
        yield* until(isMoved(leader))
        expect(partitionOf(leader)).toMatchObject({ replicas: [2], isr: [2], leader: 2 })
        const there = yield* world.link(2)
        expect((yield* produce(there, "record 5"))[1]).toBe(5)
        expect(yield* valuesOn(there)).toEqual(values(6))
        yield* until(() => logsOn(world, 1) === 0)
      })
    )
  })
})

test("a partition that moves back to a broker is copied there again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2])
      yield* leader.writer.when((cluster) => ([...cluster.brokers].filter(([, { fenced }]) => !fenced).length === 3 ? true : undefined))
      const to = yield* world.link(1)
      for (const [n, replicas] of [
        [1, 3],
        [1, 2],
        [1, 3],
        [1, 2]
      ].entries()) {
        yield* move(leader, replicas)
        yield* until(isMoved(leader))
        yield* until(() => logsOn(world, replicas[1] === 3 ? 2 : 3) === 0)
        expect(partitionOf(leader)?.isr).toEqual(replicas as never)
        expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      }
    })
  )
})

describe("KAFKA-13972: no log is left behind", () => {
  test("by a move that is cancelled", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        for (const id of [1, 2, 3]) yield* world.broker(id)
        yield* createReplicated(leader, [1, 2])
        yield* leader.writer.when((cluster) => ([...cluster.brokers].filter(([, { fenced }]) => !fenced).length === 3 ? true : undefined))
        const to = yield* world.link(1)
        for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
        // The new replica reaches the cluster's leader, and no broker that leads: the move does not end.
        world.network.cut("broker-3", "broker-1")
        world.network.cut("broker-3", "broker-2")
        yield* move(leader, [1, 3])
        yield* until(() => logsOn(world, 3) === 1)
        expect(partitionOf(leader)?.adding).toEqual([3] as never)
        yield* cancel(leader)
        expect(partitionOf(leader)).toMatchObject({ replicas: [1, 2], adding: [], removing: [], isr: [1, 2], leader: 1 })
        yield* until(() => logsOn(world, 3) === 0)
        expect(yield* produce(to, "record 5")).toEqual(["NONE", 5])
      })
    )
  })
  test("by a move that ends while the broker is down", () => {
    const world = new ReplicatedWorld()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        for (const id of [1, 2]) yield* world.broker(id)
        const third = yield* world.broker(3)
        yield* createReplicated(leader, [1, 3])
        const to = yield* world.link(1)
        for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
        yield* third.stop
        yield* until(() => partitionOf(leader)?.isr.length === 1)
        yield* move(leader, [1, 2])
        yield* until(isMoved(leader))
        expect(partitionOf(leader)).toMatchObject({ replicas: [1, 2], isr: [1, 2] })
        expect(logsOn(world, 3)).toBe(1)
        yield* world.broker(3)
        yield* until(() => logsOn(world, 3) === 0)
      })
    )
  })
})
