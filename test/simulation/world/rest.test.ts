import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"
import { fence, orders, replicatedCluster } from "../../domain/cluster/replication/support.ts"
import { afterCommands } from "../../domain/cluster/support.ts"
import { makeBatch } from "../../domain/log/make-batch.ts"
import { groupOptionsOf } from "../options.ts"
import { Recorder } from "../recorder.ts"
import { readAll } from "./rest.ts"

const end = 3
const ledBy1 = orders(replicatedCluster(3))
const ledBy2 = afterCommands(ledBy1, fence(1))
const records = makeBatch(end).bytes
const serveOptions = { requestBytesMax: 1_000_000, connectionsMax: 100, inFlightRequestsMax: 8, writeBufferBytesMax: 100_000 }

/** What a broker responds to Fetch: an error, or its high watermark with the records below it. */
type Fetchable = "NOT_LEADER_OR_FOLLOWER" | "OFFSET_OUT_OF_RANGE" | number
const partitionOf = (found: Fetchable) =>
  typeof found === "string"
    ? { errorCode: errorCode(found), highWatermark: -1n, records: null }
    : { errorCode: 0, highWatermark: BigInt(found), records: found < end ? null : records }

/** Brokers 1 and 2, whose ports are those in the cluster. `fetch` is what it responds to Fetch, `start` where its log starts. */
const brokerOf = (id: number, fetch: (from: bigint) => Fetchable, start: bigint) =>
  serve(
    { host: "127.0.0.1", port: 9000 + id },
    [
      route(ListOffsets, {}, ({ topics }) => ({
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex, timestamp }) => ({ partitionIndex, errorCode: 0, offset: timestamp === -2n ? start : BigInt(end) }))
        }))
      })),
      route(Fetch, {}, ({ topics }) => ({
        responses: topics.map(({ partitions, topic }) => ({
          topic,
          partitions: partitions.map(({ fetchOffset, partition }) => ({
            partitionIndex: partition,
            abortedTransactions: null,
            ...partitionOf(fetch(fetchOffset))
          }))
        }))
      }))
    ],
    serveOptions
  )

/**
 * Reads orders-0. `first` and `second` are what the brokers respond to Fetch; the first one may change the image of the cluster's leader. The log of the
 * second one starts at `secondStart`.
 */
const reading = async (first: (elect: (next: Cluster) => void) => Fetchable, second: (from: bigint) => Fetchable, secondStart = 0n) => {
  const clock = new VirtualClock(0)
  const recorder = new Recorder(() => clock.unsafeCurrentTimeMillis(), 0)
  let cluster = ledBy1
  const elect = (next: Cluster) => {
    cluster = next
  }
  const world = { recorder, options: groupOptionsOf(1), believer: () => ({ cluster: () => cluster }) }
  await clock.run(
    Effect.gen(function* () {
      yield* brokerOf(1, () => first(elect), 0n)
      yield* brokerOf(2, second, secondStart)
      yield* Effect.scoped(readAll(world, { memberGroups: new Map() }, [["orders", 1]]))
    }).pipe(Effect.scoped, Effect.provide(new MemoryNetwork().layer("observer")))
  )
  return { unfinished: recorder.unfinished, logs: recorder.logs.map((log) => ({ end: log.end, batches: log.batches.map(({ lastOffset }) => lastOffset) })) }
}

/** The leadership moves to broker 2. */
const moved = (elect: (next: Cluster) => void): Fetchable => {
  elect(ledBy2)
  return "NOT_LEADER_OR_FOLLOWER"
}

describe("the last reading of a log", () => {
  test("continues at a leader that is elected between its questions, which learns that it leads, and what is committed, a little later", async () => {
    const found: Array<Fetchable> = ["NOT_LEADER_OR_FOLLOWER", 1, end]
    expect(await reading(moved, () => found.shift() ?? end)).toEqual({ unfinished: [], logs: [{ end, batches: [end - 1] }] })
    expect(found).toEqual([])
  })
  test("begins anew where a leader that is elected between its questions has deleted more", async () => {
    const later = (from: bigint): Fetchable => (from < 1n ? "OFFSET_OUT_OF_RANGE" : end)
    expect(await reading(moved, later, 1n)).toEqual({ unfinished: [], logs: [{ end, batches: [end - 1] }] })
  })
  test("is not done where no broker serves the log, or not up to its end", async () => {
    const unread = { unfinished: ["orders-0 could not be read from 0 on"], logs: [] }
    const whole = () => end
    expect(await reading(() => "NOT_LEADER_OR_FOLLOWER", whole)).toEqual(unread)
    expect(await reading(() => end - 1, whole)).toEqual(unread)
  })
})
