import { expect, test } from "bun:test"
import { Effect } from "effect"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, topicId, until, valuesOn } from "./support.ts"

const logOf = (world: ReplicatedWorld, id: number) => world.disks.get(id)?.filesIn(`/data/${topicId}-0`, "current") ?? new Map()

/** Brokers 1 and 2 lose the network to the cluster's leader, which places the topic on them; their processes end before they know. */
const neverMade = (world: ReplicatedWorld) =>
  Effect.gen(function* () {
    const leader: RunningLeader = yield* world.leader()
    const brokers = [yield* world.broker(1), yield* world.broker(2)]
    yield* until(() => [...leader.cluster().brokers].filter(([, { fenced }]) => !fenced).length === 2)
    for (const id of [1, 2]) world.network.cut(`broker-${id}`, "leader")
    yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
    expect(partitionOf(leader)).toMatchObject({ leader: 1, isr: [1, 2] })
    for (const { stop } of brokers) yield* stop
    yield* until(() => partitionOf(leader)?.leader === -1)
    expect([logOf(world, 1).size, logOf(world, 2).size]).toEqual([0, 0])
    for (const id of [1, 2]) world.network.heal(`broker-${id}`, "leader")
    return leader
  })

test("a partition whose brokers all stopped before they made its logs is served when they run again, without an unclean election", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* neverMade(world)
      yield* world.broker(1)
      yield* world.broker(2)
      yield* until(() => partitionOf(leader)?.isr.length === 2 && (partitionOf(leader)?.leader ?? -1) > 0)
      const at = partitionOf(leader)?.leader ?? -1
      yield* until(() => logOf(world, at).size > 0)
      yield* Effect.sleep(1000)
      expect(yield* produce(yield* world.link(at), "record 0")).toEqual(["NONE", 0])
      expect(yield* valuesOn(yield* world.link(at))).toEqual(["record 0"])
    })
  )
})

test("a log that was served and is lost is not called never made, also where its broker had not made it in the life before", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* neverMade(world)
      const first = yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* until(() => partitionOf(leader)?.isr.length === 2 && (partitionOf(leader)?.leader ?? -1) > 0)
      yield* Effect.sleep(1000)
      expect(yield* produce(yield* world.link(partitionOf(leader)?.leader ?? -1), "record 0")).toEqual(["NONE", 0])
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* second.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      // The logs alone are gone: the notes beside them say that they were there.
      for (const { disk } of [first, second]) {
        const session = disk.session()
        for (const name of session.list(`/data/${topicId}-0`)) session.unlink(`/data/${topicId}-0/${name}`)
        session.removeDirectory(`/data/${topicId}-0`)
      }
      for (const id of [1, 2]) yield* world.broker(id)
      yield* Effect.sleep(10_000)
      for (const id of [1, 2]) expect((yield* produce(yield* world.link(id), "lost"))[0]).not.toBe("NONE")
      for (const id of [1, 2]) expect((yield* consume(yield* world.link(id), 0)).error).not.toBe("NONE")
    })
  )
})
