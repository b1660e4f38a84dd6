import { expect, test } from "bun:test"
import { Effect } from "effect"
import { Consumer } from "../../../../../src/client/consumer/consumer.ts"
import { Producer } from "../../../../../src/client/producer/producer.ts"
import type { FakeCluster } from "../../fake-cluster.ts"
import { leader, withFake } from "../../support.ts"

/** A consumer of partition 0, whose leader is node 0. Node 1 has its replica in the rack "b". */
const reading = (fake: FakeCluster, rack: string | undefined) =>
  Effect.gen(function* () {
    fake.add("orders", 1)
    fake.preferredReplica = (rackId) => (rackId === "b" ? 1 : -1)
    const producer = yield* Producer.make({ leader })
    const consumer = yield* Consumer.make({ leader, metadataMaxAgeMs: 60_000, ...(rack === undefined ? {} : { rack }) })
    yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
    const read = (value: string) =>
      Effect.gen(function* () {
        yield* producer.sendMessage("orders", value)
        const got: Array<string> = []
        for (let polls = 0; polls < 20 && got.length === 0; polls++) got.push(...(yield* consumer.poll()).map(({ text }) => text))
        expect(got).toEqual([value])
        const at = fake.fetchedAt.slice()
        fake.fetchedAt.length = 0
        return at
      })
    return read
  })

test("a consumer with a rack fetches from the replica that the leader names, and asks the leader again after metadataMaxAgeMs (KIP-392)", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      const read = yield* reading(fake, "b")
      const first = yield* read("a")
      expect(first[0]).toBe(0)
      expect(first.at(-1)).toBe(1)
      expect(new Set(yield* read("b"))).toEqual(new Set([1]))
      yield* Effect.sleep(61_000)
      expect(fake.fetchedAt.filter((node) => node === 0).length).toBe(1)
      fake.fetchedAt.length = 0
      expect(yield* read("c")).not.toContain(0)
    })
  ))

test("a consumer without a rack, or of another, fetches from the leader", async () => {
  for (const rack of [undefined, "a"])
    await withFake((fake) =>
      Effect.gen(function* () {
        const read = yield* reading(fake, rack)
        expect(new Set([...(yield* read("a")), ...(yield* read("b"))])).toEqual(new Set([0]))
      })
    )
})

test("a consumer goes back to the leader where the replica refuses, also for an offset that the replica lacks, and loses nothing", async () => {
  for (const error of ["OFFSET_OUT_OF_RANGE", "NOT_LEADER_OR_FOLLOWER", "REPLICA_NOT_AVAILABLE", "KAFKA_STORAGE_ERROR", "UNKNOWN_LEADER_EPOCH"] as const)
    await withFake((fake) =>
      Effect.gen(function* () {
        const read = yield* reading(fake, "b")
        yield* read("a")
        fake.followerError = error
        // The leader names the replica no longer.
        fake.preferredReplica = () => -1
        expect((yield* read("b")).at(-1)).toBe(0)
        expect(new Set(yield* read("c"))).toEqual(new Set([0]))
      })
    )
})
