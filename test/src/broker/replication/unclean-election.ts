import { expect } from "bun:test"
import { Effect } from "effect"
import { Command } from "../../../../domain/cluster/command.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

/** Elects a replica uncleanly, as soon as one runs. */
export const electUncleanly = (leader: RunningLeader, expected: number) => {
  const elected = Command.ElectLeaders({ kind: "unclean", partitions: null, commandedBy: "test" })
  let attempt = 0
  const ask = Effect.suspend(() => leader.writer.submit({ command: elected, commandId: `elect ${attempt++}`, actor: "test", cause: "test" }))
  return Effect.repeat(Effect.delay(ask, 100), { until: () => partitionOf(leader)?.leader === expected, times: 200 })
}

/**
 * A replica whose log starts behind the end of its leader, after an unclean election, follows it. It had deleted all but
 * the last `left` of the records that its leader lacks, `later` and `left` in number.
 */
export const followAfterUncleanElection = (later: number, left: number): Promise<void> => {
  const world = new ReplicatedWorld()
  // A follower that fetches again and again takes time.
  world.network.conditions = { ...world.network.conditions, delayMs: [1, 1] }
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const [first, second] = [yield* world.broker(1), yield* world.broker(2)]
      yield* createReplicated(leader, [1, 2])
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const to = yield* world.link(1)
      expect(yield* produce(to, "both have it")).toEqual(["NONE", 0])
      yield* second.stop
      yield* until(() => partitionOf(leader)?.isr.length === 1)
      for (let n = 1; n <= later + left; n++) expect(yield* produce(to, `lost ${n}`)).toEqual(["NONE", n])
      const topics = [{ name: "orders", partitions: [{ partitionIndex: 0, offset: BigInt(later + 1) }] }]
      expect((yield* to.call(DeleteRecords, { topics, timeoutMs: 5000 })).topics[0]?.partitions[0]).toMatchObject({ errorCode: 0 })
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      const led = yield* world.broker(2)
      yield* electUncleanly(leader, 2)
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect(yield* produce(yield* world.link(2), "after the election")).toEqual(["NONE", 1])
      yield* led.stop
      yield* until(() => partitionOf(leader)?.leader === 1)
      yield* Effect.sleep(1000)
      const again = yield* world.link(1)
      const found = yield* consume(again, 1)
      expect(found).toMatchObject({ error: "NONE", highWatermark: 2 })
      expect(found.bytes).toBeGreaterThan(0)
      // The new leader has deleted nothing: a log without a record is copied from the start of the leader's.
      expect(yield* consume(again, 0)).toMatchObject({ error: "NONE" })
    })
  )
}
