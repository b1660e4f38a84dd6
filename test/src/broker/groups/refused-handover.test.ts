import { expect, test } from "bun:test"
import { Effect } from "effect"
import { groupPartitions } from "../../../../domain/cluster/topic/group-metadata.ts"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import { Member, offsetsOf } from "../../groups/support.ts"
import { createReplicated, ReplicatedWorld, until } from "../replication/support.ts"
import { coordinating, movedTo } from "./coordinating.ts"

/** Three brokers have no room for three replicas of four partitions; four brokers have. */
const config: Partial<NodeConfig> = {
  "franz.groups.engine": "partitions",
  "franz.broker.partitions.max": 4,
  "offsets.topic.num.partitions": 4,
  "offsets.topic.replication.factor": 3,
  "group.initial.rebalance.delay.ms": 0
}

test("a handover that is refused again and again closes no stream of groups, and takes place when the reason is gone", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(config)
      for (const id of [1, 2]) yield* world.broker(id, config)
      yield* createReplicated(leader, [1, 2])
      const before = new Member(yield* world.link(1), "g", "m", { sessionTimeoutMs: 60_000 })
      expect(yield* before.enter()).toBe(`for ${before.memberId}`)
      const epochs = () => [...leader.coordinator.streams].map(({ index, writer }) => [index, writer.epoch])
      const opened = epochs()
      expect(opened).toHaveLength(4)

      yield* world.broker(3, config)
      // The leader tries every ten seconds.
      yield* Effect.sleep(45_000)
      expect([groupPartitions(leader.cluster()), epochs()]).toEqual([undefined, opened])
      expect([yield* before.beat(), yield* before.commit("orders", 0, 41)]).toEqual(["NONE", "NONE"])

      yield* world.broker(4, config)
      yield* until(() => groupPartitions(leader.cluster()) !== undefined)
      const { to } = yield* coordinating(world, 1, "g")
      expect([yield* movedTo(before, to).beat(), yield* offsetsOf(to, "g")]).toEqual(["NONE", { "orders-0": 41 }])
    })
  )
}, 120_000)
