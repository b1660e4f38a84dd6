import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, topicId, until } from "./support.ts"

interface Sender {
  readonly id: number
  readonly brokerEpoch: number
  readonly offset: number
  readonly leaderEpoch?: number
  readonly version?: number
  readonly maxWaitMs?: number
}

/** Fetches as the replica of a broker: the error's name, the high watermark and the bytes of records. */
const fetchAs = (to: Link, { brokerEpoch, id, leaderEpoch = 0, maxWaitMs = 0, offset, version = 15 }: Sender) => {
  const partitions = [
    { partition: 0, currentLeaderEpoch: leaderEpoch, fetchOffset: BigInt(offset), lastFetchedEpoch: -1, logStartOffset: 0n, partitionMaxBytes: 1_000_000 }
  ]
  const sender = version < 15 ? { replicaId: id } : { replicaState: { replicaId: id, replicaEpoch: BigInt(brokerEpoch) } }
  const topics = [version < 13 ? { topic: "orders", partitions } : { topicId, partitions }]
  return Effect.map(to.call(Fetch, { ...sender, maxWaitMs, minBytes: 1, maxBytes: 1_000_000, topics }, { version }), ({ responses }) => {
    const partition = responses[0]?.partitions[0]
    const [error, highWatermark] = [kafkaError(partition?.errorCode ?? -1), Number(partition?.highWatermark)]
    return { error, highWatermark, bytes: partition?.records?.length ?? 0 }
  })
}
const epochOf = (leader: RunningLeader, id: number): number => brokerOf(leader.cluster(), id)?.epoch ?? -1

/** Three replicas in sync, of which the third does not reach the leader any more. */
const withoutThird = (world: ReplicatedWorld) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    for (const id of [1, 2, 3]) yield* world.broker(id)
    yield* createReplicated(leader, [1, 2, 3])
    yield* until(() => partitionOf(leader)?.isr.length === 3)
    const to = yield* world.link(1)
    yield* Effect.sleep(1000)
    world.network.cut("broker-3", "broker-1")
    return { leader, to }
  })

test("CVE-2018-1288: a client that fetches as a replica, and does not know its broker's epoch, commits nothing", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* withoutThird(world)
      expect(yield* produce(to, "record", 1)).toEqual(["NONE", 0])
      const epoch = epochOf(leader, 3)
      const fetches: ReadonlyArray<readonly [Sender, string]> = [
        // Before version 15 a fetch has no broker epoch.
        [{ id: 3, brokerEpoch: epoch, offset: 1, version: 12 }, "NOT_LEADER_OR_FOLLOWER"],
        [{ id: 3, brokerEpoch: epoch, offset: 1, version: 14 }, "NOT_LEADER_OR_FOLLOWER"],
        [{ id: 3, brokerEpoch: -1, offset: 1 }, "NOT_LEADER_OR_FOLLOWER"],
        [{ id: 3, brokerEpoch: epoch - 1, offset: 1 }, "NOT_LEADER_OR_FOLLOWER"],
        // A process that registers next would have it: it asks again, until this broker's image has it.
        [{ id: 3, brokerEpoch: epoch + 1, offset: 1 }, "UNKNOWN_LEADER_EPOCH"],
        [{ id: 3, brokerEpoch: epoch, offset: 1, leaderEpoch: 1 }, "UNKNOWN_LEADER_EPOCH"],
        [{ id: 3, brokerEpoch: epoch, offset: 9 }, "OFFSET_OUT_OF_RANGE"],
        [{ id: 4, brokerEpoch: epoch, offset: 1 }, "UNKNOWN_LEADER_EPOCH"],
        [{ id: 1, brokerEpoch: epochOf(leader, 1), offset: 1 }, "UNKNOWN_LEADER_EPOCH"]
      ]
      for (const [fetch, error] of fetches) {
        expect([fetch, (yield* fetchAs(to, fetch)).error]).toEqual([fetch, error as never])
        yield* Effect.sleep(1000)
        expect([fetch, (yield* consume(to, 0)).highWatermark]).toEqual([fetch, 0])
      }
      expect(partitionOf(leader)?.isr.length).toBe(3)
    })
  )
})

test("KAFKA-9731: a replica that waits for records is not answered when the high watermark rises; its next response has it", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* withoutThird(world)
      world.network.cut("broker-2", "broker-1")
      expect(yield* produce(to, "record 0", 1)).toEqual(["NONE", 0])
      const third = { id: 3, brokerEpoch: epochOf(leader, 3) }
      const waiting = yield* Effect.fork(fetchAs(yield* world.link(1), { ...third, offset: 1, maxWaitMs: 60_000 }))
      yield* Effect.sleep(1000)
      expect(yield* consume(to, 0)).toMatchObject({ highWatermark: 0 })
      world.network.heal("broker-2", "broker-1")
      let seen = 0
      while (seen === 0) {
        yield* Effect.sleep(100)
        seen = (yield* consume(to, 0)).highWatermark
      }
      yield* Effect.sleep(3000)
      expect(waiting.unsafePoll()).toBeNull()
      expect(yield* produce(to, "record 1", 1)).toEqual(["NONE", 1])
      const answered = yield* Effect.timeout(Fiber.join(waiting), 1000)
      expect(answered).toMatchObject({ error: "NONE", highWatermark: 1 })
      expect(answered.bytes).toBeGreaterThan(0)
    })
  )
})
