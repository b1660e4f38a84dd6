import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
// A store loads it with `import()`, which virtual time does not wait for.
import "../../../../adapters/log/move/log-move.ts"
import { groupPartitions } from "../../../../domain/cluster/topic/group-metadata.ts"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { AlterReplicaLogDirs } from "../../../../src/protocol/message/34-alter-replica-log-dirs.ts"
import { DescribeLogDirs } from "../../../../src/protocol/message/35-describe-log-dirs.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { Member, offsetsOf } from "../../groups/support.ts"
import { createReplicated, ReplicatedWorld, until } from "../replication/support.ts"
import { coordinating, movedTo } from "./coordinating.ts"

const partitions = 8
const config: Partial<NodeConfig> = {
  "franz.groups.engine": "partitions",
  "offsets.topic.num.partitions": partitions,
  "offsets.topic.replication.factor": 3,
  "group.initial.rebalance.delay.ms": 0
}
const brokers = [1, 2, 3]
const directories = ["/data", "/data-2"]
const indexes = Array.from({ length: partitions }, (_, index) => index)

/** The partitions of `__group_metadata` in a directory of a broker. */
const groupsIn = (link: Link, path: string) =>
  Effect.map(link.call(DescribeLogDirs, { topics: null }), ({ results }) =>
    results.flatMap(({ logDir, topics }) =>
      topics.flatMap(({ name, partitions: all }) => (name === "__group_metadata" && logDir === path ? all.filter(({ isFutureKey }) => !isFutureKey) : []))
    )
  )

test("the groups of partitions that are all moved to other directories at once are served again, with all that was committed", () => {
  const world = new ReplicatedWorld({}, directories)
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(config)
      for (const id of brokers) yield* world.broker(id, config)
      yield* createReplicated(leader, brokers)
      yield* leader.writer.when((cluster) => (groupPartitions(cluster) === undefined ? undefined : true))
      const groups = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const members = new Map<string, Member>()
      for (const group of groups) {
        const member = new Member((yield* coordinating(world, 1, group)).to, group, "m", { sessionTimeoutMs: 60_000 })
        yield* member.enter()
        members.set(group, member)
        for (let offset = 0; offset <= 40; offset++) expect(yield* member.commit("orders", 0, offset)).toBe("NONE")
      }
      const acknowledged = new Map(groups.map((group) => [group, 40]))
      let isOver = false
      /** Commits one offset after the other, as a client that looks for its coordinator again. */
      const committing = yield* Effect.fork(
        Effect.forEach(
          groups,
          (group) =>
            Effect.gen(function* () {
              let member = members.get(group) as Member
              while (!isOver) {
                yield* Effect.sleep(3)
                const offset = (acknowledged.get(group) ?? 0) + 1
                if ((yield* member.commit("orders", 0, offset)) === "NONE") acknowledged.set(group, offset)
                else member = movedTo(member, (yield* coordinating(world, 1, group)).to)
              }
            }),
          { concurrency: "unbounded", discard: true }
        )
      )
      for (const path of ["/data-2", "/data", "/data-2"]) {
        for (const id of brokers) {
          const to = yield* world.link(id)
          const { results } = yield* to.call(AlterReplicaLogDirs, { dirs: [{ path, topics: [{ name: "__group_metadata", partitions: indexes }] }] })
          expect(results.flatMap(({ partitions: all }) => all.map(({ errorCode }) => kafkaError(errorCode)))).toEqual(indexes.map(() => "NONE"))
          yield* Effect.repeat(Effect.delay(groupsIn(to, path), 10), { until: (all) => all.length === partitions, times: 3000 })
        }
        const before = new Map(acknowledged)
        for (const group of groups) yield* until(() => (acknowledged.get(group) ?? 0) > (before.get(group) ?? 0))
      }
      isOver = true
      yield* Fiber.join(committing)
      for (const group of groups) {
        const { to } = yield* coordinating(world, 1, group)
        const member = movedTo(members.get(group) as Member, to)
        expect([group, yield* member.beat()]).toEqual([group, "NONE"])
        // A commit without an answer may be there, too.
        const { "orders-0": committed = -1 } = yield* offsetsOf(to, group)
        expect([0, 1]).toContain(committed - (acknowledged.get(group) ?? 0))
      }
    })
  )
}, 120_000)
