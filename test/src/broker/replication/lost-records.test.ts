import { expect, test } from "bun:test"
import { Effect, Either } from "effect"
import { CheckpointReader } from "../../../../adapters/log/disk/checkpoint.ts"
import type { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { metadataTopic, metadataTopicId } from "../../../../domain/cluster/topic/name.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { decodeRecords } from "../../../../domain/log/record.ts"
import type { RunningLeader } from "../../../../src/leader/leader.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, topicId, until, valuesOn } from "./support.ts"

/** The events of the cluster's journal. */
const events = (to: Link) =>
  Effect.map(
    to.call(Fetch, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 10_000_000,
      topics: [{ topic: metadataTopic, topicId: metadataTopicId, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 10_000_000 }] }]
    }),
    ({ responses }) =>
      Either.getOrThrow(readableBatches(responses[0]?.partitions[0]?.records ?? new Uint8Array(0)))
        .flatMap((each) => Either.getOrThrow(decodeRecords(each, each.records)))
        .map(({ value }) => JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0))) as { readonly _tag: string })
  )

/** Elects a replica that lacks records, and waits until it leads. */
const electUncleanly = (leader: RunningLeader, id: number) =>
  Effect.gen(function* () {
    const elected = Command.ElectLeaders({ kind: "unclean", partitions: null, commandedBy: "test" })
    let attempt = 0
    yield* Effect.repeat(
      Effect.delay(
        Effect.suspend(() => leader.writer.submit({ command: elected, commandId: `elect ${attempt++}`, actor: "test", cause: "test" })),
        100
      ),
      {
        until: () => partitionOf(leader)?.leader === id,
        times: 100
      }
    )
    yield* Effect.sleep(1000)
  })

/** The high watermarks on a broker's disk. */
const checkpointed = (world: ReplicatedWorld, id: number): ReadonlyArray<string> => {
  const reader = new CheckpointReader((world.disks.get(id) as MemoryDisk).session(), "/data", crc32c)
  const { stored } = Either.getOrThrow(reader.newest("replication-offset-checkpoint"))
  return new TextDecoder().decode(stored?.document).trimEnd().split("\n").slice(2)
}

/** Brokers 1 and 2 have a record, broker 1 alone two more; broker 2 is stopped. */
const firstAhead = (world: ReplicatedWorld) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    const first = yield* world.broker(1)
    const second = yield* world.broker(2)
    yield* createReplicated(leader, [1, 2])
    const to = yield* world.link(1)
    expect(yield* produce(to, "both 0")).toEqual(["NONE", 0])
    yield* second.stop
    yield* until(() => partitionOf(leader)?.isr.length === 1)
    for (const n of [1, 2]) expect(yield* produce(to, `first ${n}`)).toEqual(["NONE", n])
    return { first, leader, to }
  })

test("after an unclean election the replica that removes committed records reports them, also after a restart", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { first, leader } = yield* firstAhead(world)
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      yield* world.broker(2)
      yield* electUncleanly(leader, 2)
      expect(yield* produce(yield* world.link(2), "second 1")).toEqual(["NONE", 1])
      expect(checkpointed(world, 1)).toEqual([`${topicId} 0 3`])
      yield* world.broker(1, { "replica.high.watermark.checkpoint.interval.ms": 3_600_000 })
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      // A restart would call committed what the replica copies in the place of the removed records.
      expect(checkpointed(world, 1)).toEqual([`${topicId} 0 1`])
      yield* Effect.sleep(2000)
      const journal = yield* events(yield* world.linkTo("leader"))
      const lost = journal.filter(({ _tag }) => _tag === "RecordsLost")
      expect(lost).toMatchObject([{ partition: 0, brokerId: 1, leaderEpoch: partitionOf(leader)?.leaderEpoch, from: 1, to: 3 }])
      expect(yield* valuesOn(yield* world.link(2))).toEqual(["both 0", "second 1"])
    })
  )
})

test.each([
  ["has records", 2],
  ["is emptied", 3]
])("a replica whose log %s and is cut before its start by an unclean election shows what is written there, also after a restart", (_, start) => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { first, leader, to } = yield* firstAhead(world)
      const deleted = yield* to.call(DeleteRecords, {
        topics: [{ name: "orders", partitions: [{ partitionIndex: 0, offset: BigInt(start) }] }],
        timeoutMs: 5000
      })
      expect(deleted.topics[0]?.partitions[0]?.errorCode).toBe(0)
      yield* first.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      const again = yield* world.broker(2)
      yield* electUncleanly(leader, 2)
      const now = yield* world.link(2)
      for (const n of [1, 2, 3, 4]) expect(yield* produce(now, `second ${n}`)).toEqual(["NONE", n])
      const follower = yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* again.stop
      yield* until(() => partitionOf(leader)?.leader === 1)
      const onFirst = yield* world.link(1)
      for (const n of [1, 2, 3, 4]) expect(yield* consume(onFirst, n)).toMatchObject({ error: "NONE", highWatermark: 5 })
      // Records that were deleted before are not lost.
      const lost = (yield* events(yield* world.linkTo("leader"))).filter(({ _tag }) => _tag === "RecordsLost")
      expect(lost).toMatchObject(start < 3 ? [{ brokerId: 1, from: start, to: 3 }] : [])
      yield* follower.stop
      yield* until(() => partitionOf(leader)?.leader === -1)
      yield* world.broker(1)
      yield* until(() => partitionOf(leader)?.leader === 1)
      expect(yield* consume(yield* world.link(1), 1)).toMatchObject({ error: "NONE" })
    })
  )
})
