import { expect, test } from "bun:test"
import { Effect } from "effect"
import type { TopicId } from "../../../../../domain/kernel/id.ts"
import type { Replica } from "../../../../../src/broker/partition/replica/replica.ts"
import { HighWatermarks } from "../../../../../src/broker/partition/upkeep/high-watermarks.ts"

const topicId = "BvXgbDGDQkqSB0fKXyZf6Q" as TopicId
const replica = (partition: number, highWatermark: number, isReplicated = true) =>
  ({ topicId, partition, isReplicated, highWatermark: () => highWatermark }) as unknown as Replica

const loaded = async (...documents: ReadonlyArray<string>) => {
  const written: Array<string> = []
  const all = new HighWatermarks({
    readCheckpoint: () => Effect.succeed(documents.map((each) => new TextEncoder().encode(each))),
    writeCheckpoint: (name, bytes) => Effect.sync(() => void written.push(`${name}: ${new TextDecoder().decode(bytes)}`))
  })
  await Effect.runPromise(all.load)
  return { all, written }
}
const of = (all: HighWatermarks, partition: number) => all.of({ topicId, partition })

test("high watermarks are stored in Kafka's format, where they have changed, for partitions with several replicas", async () => {
  const { all, written } = await loaded()
  await Effect.runPromise(all.save([replica(0, 7, false)]))
  expect(written).toEqual([])
  for (let n = 0; n < 2; n++) await Effect.runPromise(all.save([replica(0, 7), replica(1, 9, false), replica(2, 0)]))
  expect(written).toEqual([`replication-offset-checkpoint: 0\n2\n${topicId} 0 7\n${topicId} 2 0\n`])
  await Effect.runPromise(all.save([replica(0, 8), replica(2, 0)]))
  expect(written).toHaveLength(2)
})

test("of two documents the lower offset holds; what cannot be read counts as missing", async () => {
  const { all } = await loaded(`0\n2\n${topicId} 0 7\n${topicId} 1 5\n`, `0\n1\n${topicId} 0 3\n`)
  expect([of(all, 0), of(all, 1), of(all, 2)]).toEqual([3, 5, 0])
  for (const bad of ["", `1\n1\n${topicId} 0 7\n`, `0\n2\n${topicId} 0 7\n`, `0\n1\n${topicId} 0 -7\n`, `0\n1\n${topicId} 0 7 8\n`, `0\n1\n${topicId} x 7\n`])
    expect(of((await loaded(bad)).all, 0)).toBe(0)
})
