import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { groupPartitions } from "../../../../domain/cluster/topic/group-metadata.ts"
import { streamOf } from "../../../../domain/group/groups.ts"
import { GroupId } from "../../../../domain/group/id.ts"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { OffsetFetch } from "../../../../src/protocol/message/09-offset-fetch.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { groupMutants } from "../../../simulation/mutant/group-mutants.ts"
import { Member } from "../../groups/support.ts"
import { createReplicated, isolate, ReplicatedWorld, until } from "../replication/support.ts"

const config: Partial<NodeConfig> = {
  "franz.groups.engine": "partitions",
  "offsets.topic.num.partitions": 1,
  "offsets.topic.replication.factor": 3,
  "group.initial.rebalance.delay.ms": 0
}
const brokers = [1, 2, 3]

/** The committed offset of orders-0 that a broker answers, or its error. */
const committedAt = (to: Link): Effect.Effect<string | number | undefined, unknown> =>
  Effect.map(to.call(OffsetFetch, { groupId: "g", topics: [{ name: "orders", partitionIndexes: [0] }] }, { version: 7 }), ({ errorCode, topics }) => {
    const error = kafkaError(errorCode)
    return error === "NONE" ? Number(topics[0]?.partitions[0]?.committedOffset) : error
  })

/** Asks until the broker answers with an offset, 4 s at most; returns the last answer. */
const offsetAt = (to: Link) => Effect.repeat(Effect.delay(committedAt(to), 50), { until: (answer) => typeof answer === "number", times: 80 })

/**
 * A commit is on the coordinator and on the second replica, and not on the third one, which is in sync. The coordinator
 * dies, and the second replica leads; then that one dies as well, and the third one leads. Returns what the commit was
 * answered with, and the committed offsets that the two answer.
 */
const twoFailovers = (world: ReplicatedWorld) =>
  Effect.gen(function* () {
    const leader = yield* world.leader(config)
    for (const id of brokers) yield* world.broker(id, config)
    yield* createReplicated(leader, brokers)
    const partition = () => groupPartitions(leader.cluster())?.partitions.at(streamOf(GroupId.make("g"), 1))
    yield* until(() => partition()?.isr.length === 3)
    const [first = 0, second = 0, third = 0] = partition()?.replicas ?? []
    expect(Number(partition()?.leader)).toBe(first)
    const member = new Member(yield* world.link(first), "g", "a", { sessionTimeoutMs: 60_000 })
    yield* Effect.repeat(Effect.delay(member.enter(), 50), { until: (answer) => answer.startsWith("for ") })
    expect(yield* member.commit("orders", 0, 7)).toBe("NONE")
    // The third replica has that one for sure when the next one is committed.
    expect(yield* member.commit("orders", 0, 7)).toBe("NONE")

    world.network.cut(`broker-${third}`, `broker-${first}`)
    world.network.cut(`broker-${third}`, `broker-${second}`)
    const uncommitted = yield* Effect.fork(member.commit("orders", 0, 8))
    yield* Effect.sleep(300)
    isolate(world, first)
    yield* until(() => partition()?.leader === second)
    const answers: Array<string | number | undefined> = [yield* offsetAt(yield* world.link(second))]
    isolate(world, second)
    yield* until(() => partition()?.leader === third)
    answers.push(yield* offsetAt(yield* world.link(third)))
    return { commit: yield* Fiber.join(uncommitted), answers }
  })

const planted = async (name: string) => {
  const undo = groupMutants.find((mutant) => mutant.name === name)?.plant?.()
  if (undo === undefined) throw new Error(`There is no mutant '${name}'.`)
  const world = new ReplicatedWorld()
  try {
    return await world.run(twoFailovers(world))
  } finally {
    undo()
  }
}

test("a coordinator acknowledges and answers nothing before it is committed, so that no committed offset goes back with the next one", async () => {
  const world = new ReplicatedWorld()
  expect(await world.run(twoFailovers(world))).toEqual({ commit: "COORDINATOR_NOT_AVAILABLE", answers: ["COORDINATOR_LOAD_IN_PROGRESS", 7] })
}, 120_000)

test("open-before-high-watermark: the offset that the next coordinator answers goes back", async () => {
  expect((await planted("open-before-high-watermark")).answers).toEqual([8, 7])
}, 120_000)

test("append-not-committed: a commit that was acknowledged is lost", async () => {
  const { answers, commit } = await planted("append-not-committed")
  expect([commit, answers.at(-1)]).toEqual(["NONE", 7])
}, 120_000)
