import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

/** Elects a replica uncleanly, as soon as one runs. */
const electUncleanly = (leader: RunningLeader, expected: number) => {
  const elected = Command.ElectLeaders({ kind: "unclean", partitions: null, commandedBy: "test" })
  let attempt = 0
  const ask = Effect.suspend(() => leader.writer.submit({ command: elected, commandId: `elect ${attempt++}`, actor: "test", cause: "test" }))
  return Effect.repeat(Effect.delay(ask, 100), { until: () => partitionOf(leader)?.leader === expected, times: 200 })
}

test("after an unclean election a follower serves no consumer what is about to be cut, and serves again when it is aligned (KIP-392)", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const [first, second, third] = [yield* world.broker(1), yield* world.broker(2), yield* world.broker(3)]
      yield* createReplicated(leader, [1, 2, 3])
      const to = yield* world.link(1)
      expect(yield* produce(to, "all have it")).toEqual(["NONE", 0])
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      for (const n of [1, 2, 3]) expect(yield* produce(to, `cut ${n}`)).toEqual(["NONE", n])
      // The second broker knows that they are committed, also after its restart.
      yield* Effect.sleep(6000)
      expect((yield* valuesOn(yield* world.link(2))).length).toBe(4)
      for (const { stop } of [second, first]) yield* stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      yield* world.broker(3)
      yield* electUncleanly(leader, 3)
      // It learns of the new leader, and does not reach it.
      world.network.cut("broker-2", "broker-3")
      const again = yield* world.broker(2)
      const follower = yield* world.link(2)
      yield* until(() => again.broker.cluster().index >= leader.cluster().index)
      yield* Effect.sleep(1000)
      for (const from of [0, 2, 4, 9]) expect(yield* consume(follower, from)).toMatchObject({ error: "OFFSET_NOT_AVAILABLE", bytes: 0 })
      const isAnswered = yield* Effect.fork(consume(follower, 4, 12, { maxWaitMs: 60_000 }))
      expect(yield* Effect.timeout(Fiber.join(isAnswered), 1000)).toMatchObject({ error: "OFFSET_NOT_AVAILABLE" })
      // A consumer of an older version asks the leader alone.
      expect(yield* consume(follower, 0, 10)).toMatchObject({ error: "NOT_LEADER_OR_FOLLOWER" })
      world.network.heal()
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(yield* world.link(3), "after the election")).toEqual(["NONE", 1])
      yield* Effect.sleep(1000)
      expect(yield* valuesOn(follower)).toEqual(["all have it", "after the election"])
      expect(yield* consume(follower, 4)).toMatchObject({ error: "OFFSET_OUT_OF_RANGE" })
    })
  )
})

test("an idle follower serves its consumers soon after an election, though no record comes", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ "franz.groups.engine": "leader" })
      const first = yield* world.broker(1)
      for (const id of [2, 3]) yield* world.broker(id)
      yield* createReplicated(leader, [1, 2, 3])
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      for (const n of [0, 1]) expect(yield* produce(yield* world.link(1), `record ${n}`)).toEqual(["NONE", n])
      yield* Effect.sleep(1000)
      const follower = yield* world.link(3)
      const waiting = yield* Effect.fork(consume(follower, 2, 12, { maxWaitMs: 60_000 }))
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      // What waits there is answered: the leader epoch has another end.
      expect(yield* Effect.timeout(Fiber.join(waiting), 5000)).toMatchObject({ bytes: 0 })
      yield* Effect.sleep(200)
      expect(yield* valuesOn(follower)).toEqual(["record 0", "record 1"])
      // A tool that compares replicas asks each of them where it ends; a consumer asks the leader.
      const end = (replicaId: number) =>
        Effect.map(
          follower.call(ListOffsets, { replicaId, topics: [{ name: "orders", partitions: [{ partitionIndex: 0, timestamp: -1n }] }] }, { version: 9 }),
          ({ topics }) => [kafkaError(topics[0]?.partitions[0]?.errorCode ?? -1), topics[0]?.partitions[0]?.offset]
        )
      expect(yield* end(-2)).toEqual(["NONE", 2n])
      expect(yield* end(-1)).toEqual(["NOT_LEADER_OR_FOLLOWER", -1n])
    })
  )
})
