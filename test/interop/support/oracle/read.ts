import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { OffsetForLeaderEpoch } from "../../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import { zeroUuid } from "../../../../src/protocol/type/wire.ts"
import { until } from "../process.ts"
import { batch } from "./records.ts"
import { range, type Scenario, type Side } from "./side.ts"

const fill = async (side: Side, name: string, ...batches: ReadonlyArray<Uint8Array>): Promise<void> => {
  for (const records of batches) await side.call(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData: [{ name, partitionData: [{ index: 0, records }] }] })
}

interface Where {
  readonly partition?: number
  readonly fetchOffset?: bigint
  readonly currentLeaderEpoch?: number
  readonly partitionMaxBytes?: number
  readonly lastFetchedEpoch?: number
  readonly logStartOffset?: bigint
}
const one = (where: Where) => ({ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000, ...where })
const from = (topic: string, where: Where = {}, more: object = {}) => ({
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1_000_000,
  topics: [{ topic, partitions: [one(where)] }],
  ...more
})
const byId = (topicId: string, where: Where = {}, more: object = {}) => ({
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1_000_000,
  topics: [{ topicId, partitions: [one(where)] }],
  ...more
})

export const fetchForms: Scenario = async (side) => {
  const id = await side.topic("fetched", 2)
  await fill(side, "fetched", batch(3), batch(2), batch(4))
  await side.each("from the start", Fetch, range(4, 12), () => from("fetched"))
  await side.each("by id", Fetch, range(13, 18), () => byId(id))
  await side.ask("within a batch", Fetch, 12, from("fetched", { fetchOffset: 4n }))
  await side.ask("at the end", Fetch, 12, from("fetched", { fetchOffset: 9n }))
  await side.ask("above the end", Fetch, 12, from("fetched", { fetchOffset: 10n }))
  await side.ask("below the start", Fetch, 12, from("fetched", { fetchOffset: -1n }))
  await side.ask("above the end v4", Fetch, 4, from("fetched", { fetchOffset: 10n }))
  await side.ask("epoch 0", Fetch, 12, from("fetched", { currentLeaderEpoch: 0 }))
  await side.ask("epoch 5", Fetch, 12, from("fetched", { currentLeaderEpoch: 5 }))
  await side.ask("epoch -2", Fetch, 12, from("fetched", { currentLeaderEpoch: -2 }))
  await side.ask("epoch 5 v17", Fetch, 17, byId(id, { currentLeaderEpoch: 5 }))
  await side.ask("last fetched epoch 0", Fetch, 12, from("fetched", { fetchOffset: 4n, currentLeaderEpoch: 0, lastFetchedEpoch: 0 }))
  await side.ask("last fetched epoch 3", Fetch, 12, from("fetched", { fetchOffset: 4n, lastFetchedEpoch: 3 }))
  await side.ask("partition max bytes 1", Fetch, 12, from("fetched", { partitionMaxBytes: 1 }))
  await side.ask("partition max bytes 0", Fetch, 12, from("fetched", { partitionMaxBytes: 0 }))
  await side.ask("max bytes 1", Fetch, 12, from("fetched", {}, { maxBytes: 1 }))
  await side.ask("max bytes 0", Fetch, 12, from("fetched", {}, { maxBytes: 0 }))
  await side.ask("max bytes for two batches", Fetch, 12, from("fetched", { partitionMaxBytes: batch(3).length + batch(2).length }))
  await side.ask("max bytes in the second batch", Fetch, 12, from("fetched", { partitionMaxBytes: batch(3).length + 5 }))
  await side.ask("unknown topic", Fetch, 12, from("nowhere"))
  await side.ask("illegal topic", Fetch, 12, from("no where"))
  await side.ask("unknown partition", Fetch, 12, from("fetched", { partition: 5 }))
  await side.ask("unknown id", Fetch, 13, byId("AAAAAAAAAAAAAAAAAAAAZg"))
  await side.ask("zero id", Fetch, 13, byId(zeroUuid))
  await side.ask("id, unknown partition", Fetch, 13, byId(id, { partition: 5 }))
  await side.ask("read committed", Fetch, 12, from("fetched", {}, { isolationLevel: 1 }))
  await side.ask("read committed at the end", Fetch, 12, from("fetched", { fetchOffset: 9n }, { isolationLevel: 1 }))
  await side.ask("isolation level 3", Fetch, 12, from("fetched", {}, { isolationLevel: 3 }))
  await side.ask("no topics", Fetch, 12, { maxWaitMs: 0, minBytes: 0, topics: [] })
  await side.ask("min bytes 1, at the end, short wait", Fetch, 12, from("fetched", { fetchOffset: 9n }, { maxWaitMs: 50, minBytes: 1 }))
  await side.ask("another cluster", Fetch, 12, from("fetched", {}, { clusterId: "another" }))
}

export const fetchSeveral: Scenario = async (side) => {
  await side.topic("first", 1)
  await side.topic("second", 1)
  await fill(side, "first", batch(3), batch(2))
  await fill(side, "second", batch(4))
  const both = (partitionMaxBytes: number, maxBytes: number) => ({
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes,
    topics: ["first", "second"].map((topic) => ({ topic, partitions: [one({ partitionMaxBytes })] }))
  })
  await side.ask("two partitions", Fetch, 12, both(1_000_000, 1_000_000))
  await side.ask("two partitions, little each", Fetch, 12, both(1, 1_000_000))
  await side.ask("two partitions, little together", Fetch, 12, both(1_000_000, 1))
  await side.ask("two partitions, room for one", Fetch, 12, both(1_000_000, 170))
  const known = { topic: "first", partitions: [one({ fetchOffset: 99n }), one({ partition: 4 })] }
  await side.ask("some wrong", Fetch, 12, { maxWaitMs: 10_000, minBytes: 1, topics: [known, { topic: "second", partitions: [one({ fetchOffset: 4n })] }] })
  await side.ask("the same partition twice", Fetch, 12, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [{ topic: "second", partitions: [one({}), one({ fetchOffset: 4n })] }]
  })
  await side.ask("session 0, epoch 0", Fetch, 12, from("first", {}, { sessionId: 0, sessionEpoch: 0 }))
  await side.ask("session 0, epoch 1", Fetch, 12, from("first", {}, { sessionId: 0, sessionEpoch: 1 }))
  await side.ask("session 77, epoch 3", Fetch, 12, from("first", {}, { sessionId: 77, sessionEpoch: 3 }))
  await side.ask("session 77, epoch 0", Fetch, 12, from("first", {}, { sessionId: 77, sessionEpoch: 0 }))
  await side.ask("session 77, epoch -1", Fetch, 12, from("first", {}, { sessionId: 77, sessionEpoch: -1 }))
  await side.topic("packed", 1)
  await fill(side, "packed", batch(2), batch(2, { codec: "zstd" }), batch(1))
  await side.ask("zstd", Fetch, 10, from("packed"))
  await side.ask("zstd v9", Fetch, 9, from("packed"))
  await side.ask("zstd v9 first", Fetch, 9, from("packed", { fetchOffset: 2n }))
}

export const listOffsets: Scenario = async (side) => {
  await side.topic("listed", 1)
  await side.topic("empty", 1)
  await fill(side, "listed", batch(3, {}, 1000), batch(2, {}, 5000), batch(2, {}, 3000))
  const at = (timestamp: bigint, name = "listed", more: object = {}) => ({
    replicaId: -1,
    topics: [{ name, partitions: [{ partitionIndex: 0, timestamp, ...more }] }]
  })
  for (const special of [-1n, -2n, -3n, -4n, -5n, -6n]) {
    await side.each(`time ${special}`, ListOffsets, range(1, 11), () => at(special))
    await side.ask(`time ${special}, empty`, ListOffsets, 11, at(special, "empty"))
  }
  await side.ask("time -7", ListOffsets, 11, at(-7n))
  for (const time of [0n, 999n, 1000n, 1001n, 1002n, 1003n, 3001n, 5000n, 5001n, 5002n, 9_000_000_000_000_000_000n])
    await side.ask(`time ${time}`, ListOffsets, 9, at(time))
  await side.ask("time 0, empty", ListOffsets, 9, at(0n, "empty"))
  for (const epoch of [0, 5, -2]) await side.ask(`epoch ${epoch}`, ListOffsets, 9, at(-1n, "listed", { currentLeaderEpoch: epoch }))
  await side.ask("unknown topic", ListOffsets, 9, at(-1n, "nowhere"))
  await side.ask("illegal topic", ListOffsets, 9, at(-1n, "no where"))
  await side.ask("unknown partition", ListOffsets, 9, at(-1n, "listed", { partitionIndex: 3 }))
  await side.ask("read committed", ListOffsets, 9, { ...at(-1n), isolationLevel: 1 })
  const partition = { partitionIndex: 0, timestamp: -1n }
  await side.ask("a partition twice", ListOffsets, 9, {
    replicaId: -1,
    topics: [{ name: "listed", partitions: [partition, { ...partition, timestamp: -2n }] }]
  })
  await side.ask("replica 5", ListOffsets, 9, { ...at(-1n), replicaId: 5 })
  await side.ask("a debugging replica", ListOffsets, 9, { ...at(-1n), replicaId: -2 })
  await side.ask("no topics", ListOffsets, 9, { replicaId: -1, topics: [] })
}

/** Log append time, compressed batches, and a log that was truncated within the batch with the largest timestamp. */
export const listOffsetsElsewhere: Scenario = async (side) => {
  await side.topic("stamped", 1, { "message.timestamp.type": "LogAppendTime" })
  await fill(side, "stamped", batch(3, {}, 1000))
  // The largest time belongs to the first batch that has it, which two batches of one millisecond share.
  const stampedAtMs = Date.now()
  await until("a later millisecond", () => Date.now() > stampedAtMs)
  await fill(side, "stamped", batch(2, {}, 5000))
  await side.topic("packed-times", 1)
  await fill(side, "packed-times", batch(4, { codec: "zstd" }, 1000), batch(4, { codec: "zstd" }, 9000), batch(3, { codec: "zstd" }, 4000), batch(2, {}, 9002))
  const at = (name: string, timestamp: bigint) => ({ replicaId: -1, timeoutMs: 1, topics: [{ name, partitions: [{ partitionIndex: 0, timestamp }] }] })
  for (const time of [-1n, -2n, -3n, -4n, -5n, -6n, 0n, 5000n, 9_000_000_000_000n])
    await side.ask(`stamped, time ${time}`, ListOffsets, 11, at("stamped", time))
  for (const time of [-3n, 1002n, 1004n, 4001n, 9000n, 9002n, 9003n, 9004n]) await side.ask(`packed, time ${time}`, ListOffsets, 11, at("packed-times", time))
  await side.call(DeleteRecords, 2, { topics: [{ name: "packed-times", partitions: [{ partitionIndex: 0, offset: 6n }] }], timeoutMs: 10_000 })
  for (const time of [-2n, -3n, -4n, 0n, 1002n, 9000n, 9001n, 9002n]) await side.ask(`cut, time ${time}`, ListOffsets, 11, at("packed-times", time))
  await side.call(DeleteRecords, 2, { topics: [{ name: "packed-times", partitions: [{ partitionIndex: 0, offset: 8n }] }], timeoutMs: 10_000 })
  for (const time of [-3n, 0n, 9001n, 9003n]) await side.ask(`cut further, time ${time}`, ListOffsets, 11, at("packed-times", time))
}

export const leaderEpochs: Scenario = async (side) => {
  await side.topic("epochs", 1)
  const ask = (label: string, leaderEpoch: number, currentLeaderEpoch: number, topic = "epochs", partition = 0) =>
    side.ask(label, OffsetForLeaderEpoch, 4, { replicaId: -1, topics: [{ topic, partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }] })
  await ask("epoch 0 of an empty log", 0, -1)
  await fill(side, "epochs", batch(3))
  await side.each("epoch 0", OffsetForLeaderEpoch, range(2, 4), () => ({ topics: [{ topic: "epochs", partitions: [{ partition: 0, leaderEpoch: 0 }] }] }))
  await ask("epoch 0, current 0", 0, 0)
  await ask("epoch 3", 3, -1)
  await ask("epoch -1", -1, -1)
  await ask("current 4", 0, 4)
  await ask("unknown topic", 0, -1, "nowhere")
  await ask("unknown partition", 0, -1, "epochs", 4)
}

export const deleteRecords: Scenario = async (side) => {
  await side.topic("shrinks", 1)
  await fill(side, "shrinks", batch(3), batch(2, {}, 2000), batch(4, {}, 3000))
  const remove = (label: string, offset: bigint, version = 2, name = "shrinks", partitionIndex = 0) =>
    side.ask(label, DeleteRecords, version, { topics: [{ name, partitions: [{ partitionIndex, offset }] }], timeoutMs: 10_000 })
  await side.each("before 1", DeleteRecords, range(0, 2), () => ({
    topics: [{ name: "shrinks", partitions: [{ partitionIndex: 0, offset: 1n }] }],
    timeoutMs: 10_000
  }))
  await remove("within a batch", 4n)
  await remove("before the start", 2n)
  await remove("above the end", 10n)
  await remove("negative", -2n)
  await remove("unknown topic", 0n, 2, "nowhere")
  await remove("illegal topic", 0n, 2, "no where")
  await remove("unknown partition", 0n, 2, "shrinks", 4)
  await side.ask("fetched below the start", Fetch, 12, from("shrinks", { fetchOffset: 3n }))
  await side.ask("fetched at the start", Fetch, 12, from("shrinks", { fetchOffset: 4n }))
  const at = (timestamp: bigint) => ({ replicaId: -1, topics: [{ name: "shrinks", partitions: [{ partitionIndex: 0, timestamp }] }] })
  for (const timestamp of [-1n, -2n, -3n, -4n, 0n, 1001n, 2000n]) await side.ask(`listed, time ${timestamp}`, ListOffsets, 9, at(timestamp))
  await side.ask("produced afterwards", Produce, 9, {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: "shrinks", partitionData: [{ index: 0, records: batch(1) }] }]
  })
  await remove("everything", -1n)
  await side.ask("fetched at the end", Fetch, 12, from("shrinks", { fetchOffset: 10n }))
  for (const timestamp of [-1n, -2n, -3n, 0n]) await side.ask(`listed when empty, time ${timestamp}`, ListOffsets, 9, at(timestamp))
  await side.ask("epoch 0", OffsetForLeaderEpoch, 4, { replicaId: -1, topics: [{ topic: "shrinks", partitions: [{ partition: 0, leaderEpoch: 0 }] }] })
}
