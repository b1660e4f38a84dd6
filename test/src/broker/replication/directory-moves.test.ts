import { expect, test } from "bun:test"
import { Deferred, Effect, Fiber } from "effect"
// A store loads it with `import()`, which virtual time does not wait for.
import "../../../../adapters/log/move/log-move.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { AlterReplicaLogDirs } from "../../../../src/protocol/message/34-alter-replica-log-dirs.ts"
import { DescribeLogDirs } from "../../../../src/protocol/message/35-describe-log-dirs.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const directories = ["/data", "/data-2"]
const retriable = new Set(["NOT_LEADER_OR_FOLLOWER", "NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"])

/** The directory of orders-0 at a broker; undefined while a copy of it is under way, and while it is closed. */
const directoryAt = (link: Link) =>
  Effect.map(link.call(DescribeLogDirs, { topics: null }), ({ results }) => {
    const all = results.flatMap(({ logDir, topics }) => topics.flatMap(({ name, partitions }) => (name === "orders" ? partitions.map(() => logDir) : [])))
    return all.length === 1 ? all[0] : undefined
  })
const move = (link: Link, path: string) =>
  Effect.map(link.call(AlterReplicaLogDirs, { dirs: [{ path, topics: [{ name: "orders", partitions: [0] }] }] }), ({ results }) =>
    kafkaError(results[0]?.partitions[0]?.errorCode ?? -1)
  )

for (const [role, id] of [
  ["leader", 1],
  ["follower", 2]
] as const)
  test(`the log of a ${role} is moved while records are written: none is lost, and the replica stays in sync`, () => {
    const world = new ReplicatedWorld({}, directories)
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        for (const each of [1, 2, 3]) yield* world.broker(each)
        yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2" })
        yield* until(() => partitionOf(leader)?.isr.length === 3)
        const to = yield* world.link(1)
        const moved = yield* world.link(id)
        const acknowledged = new Map<number, string>()
        const errors = new Set<string>()
        let isOver = false
        const write = (value: string) =>
          Effect.map(produce(to, value), ([error, offset]) => (error === "NONE" ? void acknowledged.set(offset, value) : void errors.add(error)))
        for (let n = 0; acknowledged.size < 50; n++) yield* Effect.delay(write(`before ${n}`), 5)
        const writing = yield* Effect.fork(
          Effect.gen(function* () {
            for (let n = 0; !isOver; n++) yield* Effect.delay(write(`meanwhile ${n}`), 10)
          })
        )
        const marks: Array<number> = []
        const watching = yield* Effect.fork(
          Effect.gen(function* () {
            while (!isOver) {
              const { error, highWatermark } = yield* Effect.delay(consume(to, Math.max(0, ...acknowledged.keys())), 7)
              if (error === "NONE") marks.push(highWatermark)
            }
          })
        )
        const inSync = new Set<string>()
        yield* Effect.fork(
          Effect.forever(
            Effect.delay(
              Effect.sync(() => inSync.add(`${partitionOf(leader)?.leader} ${partitionOf(leader)?.leaderEpoch} ${partitionOf(leader)?.isr.join()}`)),
              5
            )
          )
        )
        for (const times of [1, 2]) {
          const from = yield* directoryAt(moved)
          const path = directories.find((each) => each !== from) as string
          expect(yield* move(moved, path)).toBe("NONE")
          yield* Effect.repeat(Effect.delay(directoryAt(moved), 10), { until: (at) => at === path, times: 200 })
          expect([times, yield* directoryAt(moved)]).toEqual([times, path])
          const before = acknowledged.size
          yield* until(() => acknowledged.size > before + 20)
        }
        isOver = true
        yield* Fiber.join(writing)
        yield* Fiber.join(watching)
        const values = yield* valuesOn(to)
        for (const [offset, value] of acknowledged) expect(values[offset]).toBe(value)
        expect(marks).toEqual(marks.toSorted((a, b) => a - b))
        expect([...errors].filter((error) => !retriable.has(error))).toEqual([])
        // No election, and no change of the in-sync set.
        expect(inSync.size).toBe(1)
        expect(partitionOf(leader)?.isr.length).toBe(3)
      })
    )
  })

// A leader that is opened anew knows the committed in-sync set alone: its high watermark would pass a replica that is about to join.
test("the log of a leader is not exchanged while an in-sync set that it asked for may still be committed", () => {
  const world = new ReplicatedWorld({}, directories)
  let gate: Deferred.Deferred<void> | undefined
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({}, undefined, (real) => ({
        ...real,
        append: (...parts) => Effect.zipRight(gate === undefined ? Effect.void : Deferred.await(gate), real.append(...parts))
      }))
      for (const id of [1, 2, 3]) yield* world.broker(id, { "replica.lag.time.max.ms": 2000 })
      yield* createReplicated(leader, [1, 2, 3])
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      world.network.cut("broker-3", "broker-1")
      const to = yield* world.link(1)
      yield* produce(to, "without 3", 1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      // Broker 3 joins as soon as the cluster's leader can write.
      const held = (gate = yield* Deferred.make<void>())
      world.network.heal()
      yield* Effect.sleep("2 seconds")
      const from = yield* directoryAt(to)
      const path = directories.find((each) => each !== from) as string
      expect(yield* move(to, path)).toBe("NONE")
      const answers = new Set<string>()
      const writing = yield* Effect.fork(
        Effect.forever(
          Effect.delay(
            Effect.map(produce(to, "meanwhile"), ([error]) => void answers.add(error)),
            20
          )
        )
      )
      yield* Effect.sleep("1 second")
      expect(partitionOf(leader)?.isr.length).toBe(2)
      // The copy is there, beside the log.
      expect([yield* directoryAt(to), [...answers]]).toEqual([undefined, ["NONE"]])
      gate = undefined
      yield* Deferred.succeed(held, undefined)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* Effect.repeat(Effect.delay(directoryAt(to), 10), { until: (at) => at === path, times: 500 })
      expect(yield* directoryAt(to)).toBe(path)
      yield* Fiber.interrupt(writing)
    })
  )
})
