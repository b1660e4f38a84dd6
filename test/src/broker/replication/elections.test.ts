import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { OffsetForLeaderEpoch } from "../../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { createReplicated, isolate, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

const electPreferred = (leader: RunningLeader) => {
  const command = Command.ElectLeaders({ kind: "preferred", partitions: null, commandedBy: "test" })
  return leader.writer.submit({ command, commandId: "elect", actor: "test", cause: "test" })
}

/** Where a broker says that the log ends: the error's name and the offset. */
const latest = (to: Link) =>
  Effect.map(
    to.call(ListOffsets, { replicaId: -1, topics: [{ name: "orders", partitions: [{ partitionIndex: 0, timestamp: -1n }] }] }, { version: 9 }),
    ({ topics }) => [kafkaError(topics[0]?.partitions[0]?.errorCode ?? -1), Number(topics[0]?.partitions[0]?.offset)] as const
  )
/** Where a broker says that a leader epoch ends: the error's name, the epoch and the offset. */
const endOf = (to: Link, leaderEpoch: number) =>
  Effect.map(to.call(OffsetForLeaderEpoch, { replicaId: -1, topics: [{ topic: "orders", partitions: [{ partition: 0, leaderEpoch }] }] }), ({ topics }) => {
    const partition = topics[0]?.partitions[0]
    return [kafkaError(partition?.errorCode ?? -1), partition?.leaderEpoch, Number(partition?.endOffset)] as const
  })

test("Redpanda 5428, 6301, 11864: during an election no broker answers a smaller end of the log, or another end of an epoch", () => {
  const world = new ReplicatedWorld()
  world.network.conditions = { ...world.network.conditions, delayMs: [1, 5] }
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      for (let n = 0; n < 5; n++) expect(yield* produce(yield* world.link(1), `record ${n}`)).toEqual(["NONE", n])
      const seen = new Map<string, number>()
      const links = [yield* world.link(2)]
      let isOver = false
      const ask = Effect.gen(function* () {
        for (const to of links) {
          const [error, offset] = yield* latest(to)
          seen.set(error, (seen.get(error) ?? 0) + 1)
          expect([error, offset]).toEqual([error, error === "NONE" ? 5 : -1])
          const [fault, epoch, end] = yield* endOf(to, 0)
          expect([fault, epoch, end]).toEqual(fault === "NONE" ? ["NONE", 0, 5] : [fault, -1, -1])
        }
      })
      // The followers do not know yet that the last record is committed.
      isolate(world, 1)
      const asking = yield* Effect.fork(Effect.repeat(Effect.delay(ask, 1), { until: () => isOver }))
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* until(() => seen.has("NONE"))
      yield* Effect.sleep(100)
      isOver = true
      yield* Fiber.join(asking)
      expect([...seen.keys()].filter((error) => !["NONE", "NOT_LEADER_OR_FOLLOWER", "OFFSET_NOT_AVAILABLE"].includes(error))).toEqual([])
      // The second broker was asked as a follower, and while it did not know the end, too.
      for (const error of ["NOT_LEADER_OR_FOLLOWER", "OFFSET_NOT_AVAILABLE"]) expect([error, (seen.get(error) ?? 0) > 0]).toEqual([error, true])
    })
  )
})

test("Redpanda 2591: a leadership that goes to a broker that does not take it over is elected away within its session", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const to = yield* world.link(2)
      expect(yield* produce(to, "record 0")).toEqual(["NONE", 0])
      isolate(world, 1)
      yield* electPreferred(leader)
      expect(partitionOf(leader)?.leader).toBe(1 as never)
      const before = world.clock.unsafeCurrentTimeMillis()
      yield* until(() => partitionOf(leader)?.leader === 2)
      // The session of the broker, and a look at it.
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeLessThan(5000)
      yield* Effect.sleep(1000)
      expect(yield* produce(to, "record 1")).toEqual(["NONE", 1])
      // A replica that is not in sync gets no leadership: the election ends at once, and changes nothing.
      const { partitionEpoch } = partitionOf(leader) ?? {}
      yield* electPreferred(leader)
      expect(partitionOf(leader)).toMatchObject({ leader: 2, partitionEpoch })
    })
  )
})

test("crabka 591: a broker that restarts on another host is fetched from there, as soon as it leads again", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      yield* world.broker(2)
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(yield* world.link(1), "record 0")).toEqual(["NONE", 0])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* world.broker(1, {}, "elsewhere")
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* electPreferred(leader)
      expect(partitionOf(leader)?.leader).toBe(1 as never)
      yield* Effect.sleep(1000)
      expect(yield* produce(yield* world.linkTo("elsewhere"), "record 1")).toEqual(["NONE", 1])
    })
  )
})
