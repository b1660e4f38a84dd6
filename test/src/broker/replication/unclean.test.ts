import { expect, test } from "bun:test"
import { Effect } from "effect"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"
import { electUncleanly, followAfterUncleanElection } from "./unclean-election.ts"

for (const [what, later, left] of [
  ["an empty log", 4, 0],
  ["a log", 4, 2]
] as const)
  test(`KAFKA-7414: ${what} that starts behind the end of its leader, after an unclean election, follows it`, () => followAfterUncleanElection(later, left))

test("a replica that began anew at the start of an emptied log copies what an uncleanly elected leader wrote before that offset", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const [first, second, third] = [yield* world.broker(1), yield* world.broker(2), yield* world.broker(3)]
      yield* createReplicated(leader, [1, 2, 3])
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const to = yield* world.link(1)
      expect(yield* produce(to, "all have it")).toEqual(["NONE", 0])
      yield* second.stop
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      for (const n of [1, 2, 3, 4]) expect(yield* produce(to, `first ${n}`)).toEqual(["NONE", n])
      const topics = [{ name: "orders", partitions: [{ partitionIndex: 0, offset: 5n }] }]
      expect((yield* to.call(DeleteRecords, { topics, timeoutMs: 5000 })).topics[0]?.partitions[0]).toMatchObject({ errorCode: 0 })
      // It ends before the start of its leader's log, which has no record: it joins without one.
      const anew = yield* world.broker(2)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* anew.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      const led = yield* world.broker(3)
      yield* electUncleanly(leader, 3)
      const now = yield* world.link(3)
      for (const n of [1, 2, 3, 4, 5, 6]) expect(yield* produce(now, `third ${n}`)).toEqual(["NONE", n])
      yield* world.broker(2)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* led.stop
      yield* until(() => partitionOf(leader)?.leader === 2)
      yield* Effect.sleep(1000)
      const again = yield* world.link(2)
      for (const n of [1, 4, 5, 6]) expect(yield* consume(again, n)).toMatchObject({ error: "NONE", highWatermark: 7 })
    })
  )
})
