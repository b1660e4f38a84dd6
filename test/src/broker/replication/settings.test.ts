import { expect, test } from "bun:test"
import { Effect } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import { nodeConfigsOf } from "../../../../domain/cluster/config/node.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const set = (leader: RunningLeader, name: string, value: string) => {
  const command = Command.ChangeNodeConfigs({ node: "", replace: false, changes: [{ name, operation: "set", value }], validateOnly: false })
  return leader.writer.submit({ command, commandId: `${name}=${value}`, actor: "test", cause: "test" })
}

test("unclean.leader.election.enable: the leader elects a replica that lacks records where no other can lead, by an event", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const first = yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [1, 2])
      expect(yield* produce(yield* world.link(1), "both have it")).toEqual(["NONE", 0])
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      expect(yield* produce(yield* world.link(1), "broker 1 has it")).toEqual(["NONE", 1])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      yield* world.broker(2)
      yield* Effect.sleep(5000)
      expect(partitionOf(leader)?.leader).toBe(-1)
      yield* set(leader, "unclean.leader.election.enable", "true")
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* Effect.sleep(1000)
      const to = yield* world.link(2)
      expect(yield* produce(to, "after the election")).toEqual(["NONE", 1])
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* valuesOn(to)).toEqual(["both have it", "after the election"])
    })
  )
})

test("num.replica.fetchers changes while records are copied: none is missing, and all replicas stay in sync", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      for (let n = 0; n < 20; n++) {
        if (n % 5 === 0) yield* set(leader, "num.replica.fetchers", String(1 + n / 5))
        expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
        yield* Effect.sleep(300)
      }
      expect(partitionOf(leader)).toMatchObject({ isr: [1, 2, 3], leaderEpoch: 0 })
    })
  )
})

test("replica.lag.time.max.ms: a replica that does not fetch leaves the in-sync set after it, while its broker lives", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const settings = { "replica.lag.time.max.ms": 2000, "replica.fetch.backoff.ms": 100 }
      for (const id of [1, 2, 3]) yield* world.broker(id, settings)
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      expect(yield* produce(to, "first")).toEqual(["NONE", 0])
      world.network.cut("broker-1", "broker-3")
      const before = Number(world.clock.unsafeCurrentTimeMillis())
      expect(yield* produce(to, "second", -1, 30_000)).toEqual(["NONE", 1])
      const waited = Number(world.clock.unsafeCurrentTimeMillis()) - before
      expect(waited).toBeGreaterThanOrEqual(2000)
      expect(waited).toBeLessThan(5000)
      expect(partitionOf(leader)?.isr as ReadonlyArray<number>).toEqual([1, 2])
      expect([...leader.cluster().brokers].every(([, { fenced }]) => !fenced)).toBe(true)
    })
  )
})

test("min.insync.replicas: the leader's own is that of all nodes from the first start on, and a later leader's other value changes nothing", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ "min.insync.replicas": 2 })
      expect(nodeConfigsOf(leader.cluster(), null)).toEqual({ "min.insync.replicas": "2" })
      yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [1, 2])
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      const to = yield* world.link(1)
      expect((yield* produce(to, "too few"))[0]).toBe("NOT_ENOUGH_REPLICAS")
      yield* set(leader, "min.insync.replicas", "1")
      yield* Effect.sleep(1000)
      expect((yield* produce(to, "enough"))[0]).toBe("NONE")
    })
  )
})
