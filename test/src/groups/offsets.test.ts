import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { OffsetCommit } from "../../../src/protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { OffsetDelete } from "../../../src/protocol/message/47-offset-delete.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopics, life, offsetsOf, World, withTopics, wrong } from "./support.ts"

/** A commit from outside of any membership, as an administrator or a consumer without group management makes it. */
const commitAlone = (
  to: Link,
  groupId: string,
  topic: { readonly name?: string; readonly topicId?: string },
  offset: bigint,
  version: number,
  retentionTimeMs = -1n
) =>
  to.call(
    OffsetCommit,
    {
      groupId,
      memberId: "",
      generationIdOrMemberEpoch: -1,
      ...(version <= 4 ? { retentionTimeMs } : {}),
      topics: [
        {
          ...topic,
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: "note", ...(version >= 6 ? { committedLeaderEpoch: 3 } : {}) }]
        }
      ]
    },
    { version }
  )
const firstError = (answer: { readonly topics: ReadonlyArray<{ readonly partitions: ReadonlyArray<{ readonly errorCode: number }> }> }) =>
  answer.topics[0]?.partitions.map(wrong)[0]

describe("every version", () => {
  test("OffsetCommit 2-10 and OffsetFetch 1-10, by name and by id, some and all", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const to = yield* world.link(leader.address)
        const created = yield* withTopics(to, ["orders", 2])
        const topicId = created.topics[0]?.topicId as string
        for (let version = 2; version <= 10; version++) {
          const answer = yield* commitAlone(to, "g", version >= 10 ? { topicId } : { name: "orders" }, BigInt(version), version)
          expect(firstError(answer)).toBe("NONE")
          expect(answer.topics[0]).toMatchObject(version >= 10 ? { topicId } : { name: "orders" })
          expect(yield* offsetsOf(to, "g")).toEqual({ "orders-0": version })
        }
        for (let version = 1; version <= 10; version++) {
          const topics = [{ ...(version >= 10 ? { topicId } : { name: "orders" }), partitionIndexes: [0, 1, 7] }]
          const ask = (asked: typeof topics | null, groupId = "g") =>
            version >= 8
              ? Effect.map(to.call(OffsetFetch, { groups: [{ groupId, topics: asked }] }, { version }), ({ groups }) => groups[0] as (typeof groups)[number])
              : to.call(OffsetFetch, { groupId, topics: asked as never }, { version })
          const some = yield* ask(topics)
          expect(wrong(some)).toBe("NONE")
          expect(some.topics[0]?.partitions.map(({ committedOffset, metadata }) => [Number(committedOffset), metadata])).toEqual([
            [10, "note"],
            [-1, ""],
            [-1, ""]
          ])
          if (version >= 5) expect(some.topics[0]?.partitions.map(({ committedLeaderEpoch }) => committedLeaderEpoch)).toEqual([3, -1, -1])
          if (version >= 2) expect((yield* ask(null)).topics.map(({ partitions }) => partitions.length)).toEqual([1])
          const missing = yield* ask(topics, "missing")
          expect([wrong(missing), missing.topics[0]?.partitions.map(({ committedOffset }) => committedOffset)]).toEqual(["NONE", [-1n, -1n, -1n]])
        }
        const unknown = yield* to.call(
          OffsetFetch,
          { groups: [{ groupId: "g", topics: [{ topicId: "AAAAAAAAAAAAAAAAAAAAZw", partitionIndexes: [0] }] }] },
          { version: 10 }
        )
        expect(unknown.groups[0]?.topics[0]?.partitions.map(wrong)).toEqual(["UNKNOWN_TOPIC_ID"])
      })
    )
  })
})

describe("who may commit", () => {
  test("a member of the current generation, and no other client while there are members (G3)", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one")
        yield* withTopics(one.to, ["orders", 1])
        expect(yield* one.commit("orders", 0, 1, { generationIdOrMemberEpoch: 5 }, 8)).toBe("ILLEGAL_GENERATION")
        expect(yield* one.commit("orders", 0, 1, { generationIdOrMemberEpoch: 5 }, 9)).toBe("GROUP_ID_NOT_FOUND")
        yield* one.enter()
        expect(yield* one.commit("orders", 0, 1)).toBe("NONE")
        expect(yield* one.commit("orders", 0, 2, { generationIdOrMemberEpoch: 2 })).toBe("ILLEGAL_GENERATION")
        expect(yield* one.commit("orders", 0, 2, { memberId: "stranger" })).toBe("UNKNOWN_MEMBER_ID")
        expect(firstError(yield* commitAlone(one.to, "g", { name: "orders" }, 2n, 9))).toBe("UNKNOWN_MEMBER_ID")
        yield* one.leave()
        expect(firstError(yield* commitAlone(one.to, "g", { name: "orders" }, 3n, 9))).toBe("NONE")
        expect(yield* offsetsOf(one.to, "g")).toEqual({ "orders-0": 3 })
        expect(yield* one.commit("orders", 0, 9)).toBe("UNKNOWN_MEMBER_ID")
      })
    )
  })
  test("what is wrong with one partition does not touch the others", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "offset.metadata.max.bytes": 10 })
        const to = yield* world.link(leader.address)
        yield* withTopics(to, ["orders", 3])
        const at = (partitionIndex: number, committedOffset: bigint, committedMetadata: string | null = null) => ({
          partitionIndex,
          committedOffset,
          committedMetadata
        })
        const answer = yield* to.call(
          OffsetCommit,
          {
            groupId: "g",
            memberId: "",
            topics: [
              { name: "orders", partitions: [at(0, 1n), at(1, 2n, "12345678901"), at(2, 1n << 60n), at(3, 1n), at(-1, 1n), at(0, 5n)] },
              { name: "none", partitions: [at(0, 1n)] },
              { name: "__cluster_metadata", partitions: [at(0, 4n), at(1, 4n)] }
            ]
          },
          { version: 9 }
        )
        expect(answer.topics.map(({ partitions }) => partitions.map(wrong))).toEqual([
          ["NONE", "OFFSET_METADATA_TOO_LARGE", "INVALID_COMMIT_OFFSET_SIZE", "UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_OR_PARTITION", "NONE"],
          ["UNKNOWN_TOPIC_OR_PARTITION"],
          ["NONE", "UNKNOWN_TOPIC_OR_PARTITION"]
        ])
        expect(yield* offsetsOf(to, "g")).toEqual({ "orders-0": 5, "__cluster_metadata-0": 4 })
        expect(firstError(yield* commitAlone(to, "g", { topicId: "AAAAAAAAAAAAAAAAAAAAZw" }, 1n, 10))).toBe("UNKNOWN_TOPIC_ID")
      })
    )
  })
  test("a leader whose disk is full commits nothing, says that it may be tried again, and continues when there is room", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one")
        yield* withTopics(one.to, ["orders", 1])
        yield* one.enter()
        world.disk.capacityBytes = world.disk.usedBytes
        expect(yield* one.commit("orders", 0, 1)).toBe("COORDINATOR_NOT_AVAILABLE")
        expect(yield* one.beat()).toBe("NONE")
        expect(yield* offsetsOf(one.to, "g")).toEqual({})
        world.disk.capacityBytes = Number.POSITIVE_INFINITY
        expect(yield* one.commit("orders", 0, 2)).toBe("NONE")
        expect(yield* offsetsOf(one.to, "g")).toEqual({ "orders-0": 2 })
      })
    )
  })
})

const removeTopic = (to: Link, name: string) => to.call(DeleteTopics, { topics: [{ name, topicId: zeroTopicId }], timeoutMs: 1000 })

describe("how offsets go", () => {
  test("with their topic: one of the same name begins anew (L10), after a restart too", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        yield* life(world.leader(), (leader) =>
          Effect.gen(function* () {
            const to = yield* world.link(leader.address)
            yield* withTopics(to, ["orders", 1], ["bills", 1], ["gone", 1])
            for (const name of ["orders", "bills", "gone"]) yield* commitAlone(to, "g", { name }, 5n, 9)
            yield* removeTopic(to, "orders")
            expect(yield* offsetsOf(to, "g")).toEqual({ "bills-0": 5, "gone-0": 5 })
            yield* createTopics(to, ["orders", 1])
            expect(yield* offsetsOf(to, "g")).toEqual({ "bills-0": 5, "gone-0": 5 })
            yield* commitAlone(to, "g", { name: "orders" }, 1n, 9)
            yield* Effect.sleep(100)
            expect(yield* offsetsOf(to, "g")).toEqual({ "orders-0": 1, "bills-0": 5, "gone-0": 5 })
            // The leader dies between the removal of the topic and that of the offsets.
            yield* Effect.fork(removeTopic(to, "gone"))
            yield* leader.writer.when(({ topicIds }) => ([...topicIds].some(([name]) => name === "gone") ? undefined : true))
          })
        )
        const leader = yield* world.leader()
        const to = yield* world.link(leader.address)
        yield* Effect.sleep(100)
        yield* createTopics(to, ["gone", 1])
        expect(yield* offsetsOf(to, "g")).toEqual({ "orders-0": 1, "bills-0": 5 })
        const held = [...leader.coordinator.streams].flatMap(({ writer }) =>
          [...writer.state()].flatMap(([, { offsets }]) => [...offsets].map(([topic]) => topic))
        )
        expect(held.sort()).toEqual(["bills", "orders"] as never)
      })
    )
  })
  test("with the time: the server's retention once a group is empty, or what the commit said", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "offsets.retention.minutes": 60 })
        const to = yield* world.link(leader.address)
        yield* withTopics(to, ["orders", 1], ["bills", 1], ["notes", 1])
        yield* commitAlone(to, "g", { name: "orders" }, 5n, 9)
        yield* commitAlone(to, "g", { name: "bills" }, 5n, 4, 60_000n)
        yield* commitAlone(to, "g", { name: "notes" }, 5n, 4, (1n << 63n) - 1n)
        yield* Effect.sleep(601_000)
        // An idle connection is closed meanwhile.
        const held = Effect.flatMap(world.link(leader.address), (fresh) => offsetsOf(fresh, "g"))
        expect(yield* held).toEqual({ "orders-0": 5, "notes-0": 5 })
        yield* Effect.sleep(3_600_000)
        expect(yield* held).toEqual({ "notes-0": 5 })
      })
    )
  }, 300_000)
  test("one by one, but for topics that members read", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const to = yield* world.link(leader.address)
        yield* withTopics(to, ["orders", 1], ["bills", 1])
        for (const name of ["orders", "bills"]) yield* commitAlone(to, "g", { name }, 5n, 9)
        const remove = (groupId: string) =>
          to.call(OffsetDelete, {
            groupId,
            topics: [
              { name: "orders", partitions: [{ partitionIndex: 0 }, { partitionIndex: 5 }] },
              { name: "none", partitions: [{ partitionIndex: 0 }] }
            ]
          })
        expect(wrong(yield* remove(""))).toBe("INVALID_GROUP_ID")
        expect(wrong(yield* remove("missing"))).toBe("GROUP_ID_NOT_FOUND")
        const removed = yield* remove("g")
        expect(removed.topics.map(({ partitions }) => partitions.map(wrong))).toEqual([["NONE", "UNKNOWN_TOPIC_OR_PARTITION"], ["UNKNOWN_TOPIC_OR_PARTITION"]])
        expect(yield* offsetsOf(to, "g")).toEqual({ "bills-0": 5 })
        const one = yield* world.member(leader, "g", "one")
        const metadata = new Uint8Array([0, 0, 0, 0, 0, 1, 0, 6, ...new TextEncoder().encode("orders"), 255, 255, 255, 255])
        const asMember = { protocols: [{ name: "range", metadata }] }
        yield* one.ask(9, asMember)
        yield* one.ask(9, asMember)
        yield* one.sync([[one.memberId, ""]])
        expect((yield* remove("g")).topics[0]?.partitions.map(wrong)).toEqual(["GROUP_SUBSCRIBED_TO_TOPIC", "UNKNOWN_TOPIC_OR_PARTITION"])
      })
    )
  })
})
