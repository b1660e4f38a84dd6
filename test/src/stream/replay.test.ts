import { expect, test } from "bun:test"
import { Chunk, Clock, Effect, Stream } from "effect"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { clusterAggregate, clusterStream } from "../../../src/leader/journal/cluster-aggregate.ts"
import type { Journal, StoredEntry } from "../../../src/ports/journal.ts"
import { readOn } from "../../../src/stream/replay.ts"
import { StreamFold } from "../../../src/stream/stream-fold.ts"

const [reads, entriesOfRead] = [20, 50]
const value = new TextEncoder().encode('{"_tag":"ClusterFounded","v":1,"clusterId":"c"}')
const entryOf = (index: number): StoredEntry => ({ index, type: "ClusterFounded", value, commandId: `c${index}` }) as unknown as StoredEntry
const chunks = Array.from({ length: reads }, (_, read) =>
  Chunk.fromIterable(Array.from({ length: entriesOfRead }, (_each, at) => entryOf(read * entriesOfRead + at)))
)
const journal = { follow: () => Stream.fromChunks(...chunks) } as unknown as Journal["Type"]

/** Turns of the event loop in a replay whose reads take so long each, by a clock that advances when it is read. */
const turnsOf = async (readNs: bigint): Promise<number> => {
  const fold = new StreamFold<Cluster, Event>(clusterStream, clusterAggregate)
  let turns = 0
  let now = 0n
  const clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeNanos: () => (now += readNs),
    sleep: () => Effect.sync(() => void turns++)
  }
  await Effect.runPromise(Effect.withClock(readOn(journal, fold, reads * entriesOfRead), clock))
  expect(fold.end).toBe(reads * entriesOfRead)
  return turns
}

test("a replay of a long journal gives the event loop a turn between its reads, and a short one takes none", async () => {
  expect(await turnsOf(60_000_000n)).toBe(reads)
  expect(await turnsOf(1_000_000n)).toBe(0)
})
