import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { streamOf } from "../../../domain/group/groups.ts"
import { groupId } from "../../../domain/group/id.ts"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { readableBatches } from "../../../domain/log/batch.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { DeleteTopics } from "../../../src/protocol/message/20-delete-topics.ts"
import { OffsetForLeaderEpoch } from "../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import { zeroUuid } from "../../../src/protocol/type/wire.ts"
import type { Link } from "../../../src/wire/link.ts"
import { createTopics, life, World, withTopics } from "./support.ts"

const topic = "__consumer_offsets"
const partition = streamOf(groupId("g"), 4)

/** The keys that a reader from `from` on meets, as text, and the offset where it is then. */
const read = (to: Link, from: number) =>
  Effect.map(
    to.call(
      Fetch,
      { maxWaitMs: 0, minBytes: 0, topics: [{ topic, partitions: [{ partition, fetchOffset: BigInt(from), partitionMaxBytes: 1_000_000 }] }] },
      { version: 12 }
    ),
    ({ responses }) => {
      const [answer] = responses[0]?.partitions ?? []
      const batches = Either.getOrThrow(readableBatches(answer?.records ?? new Uint8Array(0)))
      const records = batches.flatMap((batch) => Either.getOrThrow(decodeRecords(batch, batch.records)))
      return { error: kafkaError(answer?.errorCode ?? 0), count: records.length, next: (records.at(-1)?.offset ?? from - 1) + 1 }
    }
  )
const list = (to: Link, timestamp: number) =>
  Effect.map(
    to.call(ListOffsets, { replicaId: -1, topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: BigInt(timestamp) }] }] }),
    ({ topics }) => Number(topics[0]?.partitions[0]?.offset)
  )

test("a monitor that was at the end continues there after the leader started again: it reads every offset that is committed", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const position = yield* life(world.leader(), (leader) =>
        Effect.gen(function* () {
          const to = yield* world.link(leader.address)
          yield* withTopics(to, ["orders", 2])
          const member = yield* world.member(leader, "g", "one")
          const simple = { generationIdOrMemberEpoch: -1, memberId: "" }
          expect(yield* member.commit("orders", 0, 41, simple)).toBe("NONE")
          const start = yield* list(to, -2)
          expect(yield* read(to, start)).toMatchObject({ error: "NONE", count: 1 })
          expect(yield* member.commit("orders", 1, 42, simple)).toBe("NONE")
          const { count, next } = yield* read(to, start)
          expect([count, next]).toEqual([2, yield* list(to, -1)])
          world.disk.crash(() => 0)
          return next
        })
      )
      yield* Effect.sleep(1000)
      const leader = yield* world.leader()
      const to = yield* world.link(leader.address)
      const known = yield* to.call(OffsetForLeaderEpoch, { topics: [{ topic, partitions: [{ partition, leaderEpoch: 0 }] }] })
      expect(known.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, leaderEpoch: 0 })
      expect(Number(known.topics[0]?.partitions[0]?.endOffset)).toBeGreaterThanOrEqual(position)
      expect(yield* read(to, position)).toMatchObject({ error: "NONE", count: 2 })
      expect(yield* list(to, -2)).toBeGreaterThanOrEqual(position)
    })
  )
})

test("clients read it, and neither create, write nor remove it; nor a topic that Kafka would take for its own", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const to = yield* world.link(leader.address)
      yield* withTopics(to, ["orders", 1])
      const { topics } = yield* to.call(Metadata, { topics: [{ name: topic }] })
      expect(topics).toMatchObject([
        { errorCode: 0, isInternal: true, partitions: [{ leaderId: 100 }, { leaderId: 100 }, { leaderId: 100 }, { leaderId: 100 }] }
      ])
      const created = yield* createTopics(to, [topic, 1], ["__transaction_state", 1], ["__share_group_state", 1], ["__group_metadata", 1], ["__other", 1])
      expect(created.topics.map(({ errorCode, name }) => `${name} ${kafkaError(errorCode)}`).sort()).toEqual([
        "__consumer_offsets TOPIC_ALREADY_EXISTS",
        "__group_metadata INVALID_TOPIC_EXCEPTION",
        "__other NONE",
        "__share_group_state INVALID_TOPIC_EXCEPTION",
        "__transaction_state INVALID_TOPIC_EXCEPTION"
      ])
      const asked = yield* to.call(Metadata, { topics: [{ name: "__transaction_state" }], allowAutoTopicCreation: true })
      expect(kafkaError(asked.topics[0]?.errorCode ?? 0)).toBe("UNKNOWN_TOPIC_OR_PARTITION")
      const written = yield* to.call(
        Produce,
        { acks: -1, timeoutMs: 1000, topicData: [{ name: topic, partitionData: [{ index: 0, records: null }] }] },
        { version: 9 }
      )
      expect(kafkaError(written.responses[0]?.partitionResponses[0]?.errorCode ?? 0)).toBe("INVALID_TOPIC_EXCEPTION")
      for (const each of [
        { name: topic, topicId: zeroUuid },
        { name: null, topicId: topics[0]?.topicId ?? "" }
      ]) {
        const removed = yield* to.call(DeleteTopics, { topics: [each], timeoutMs: 1000 })
        expect(kafkaError(removed.responses[0]?.errorCode ?? 0)).toBe("INVALID_TOPIC_EXCEPTION")
      }
    })
  )
})
