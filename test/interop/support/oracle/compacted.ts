import { Effect, Either } from "effect"
import { layerTypescript } from "../../../../adapters/compression/compression.ts"
import { type RecordBatch, readableBatches } from "../../../../domain/log/batch.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { type BatchToWrite, encodeBatch, readRecords } from "../../../../domain/log/record.ts"
import { Compression } from "../../../../src/ports/compression.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../src/protocol/message/02-list-offsets.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import { InitProducerId } from "../../../../src/protocol/message/22-init-producer-id.ts"
import { IncrementalAlterConfigs } from "../../../../src/protocol/message/44-incremental-alter-configs.ts"
import { until } from "../process.ts"
import { range, type Scenario, type Side } from "./side.ts"

const { compress, decompress } = await Effect.runPromise(Effect.provide(Compression, layerTypescript))
const utf8 = new TextEncoder()
const text = new TextDecoder()

/** More than segment.ms is between two batches, so that each has a segment of its own. */
const segmentMs = 60_000
const begin = 1_700_000_000_000

type Told = readonly [key: string | null, value: string | null]
const batchOf = (number: number, records: ReadonlyArray<Told>, fields: Partial<BatchToWrite> = {}): Uint8Array =>
  encodeBatch(
    {
      codec: "none",
      records: records.map(([key, value], at) => ({
        timestamp: begin + number * (segmentMs + 1000) + at,
        key: key === null ? null : utf8.encode(key),
        value: value === null ? null : utf8.encode(value),
        headers: at === 1 ? [{ key: "header", value: utf8.encode(`${number}`) }] : []
      })),
      ...fields
    },
    { crc32c, compress }
  )

const put = async (side: Side, name: string, records: Uint8Array): Promise<void> => {
  const { responses } = await side.call(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData: [{ name, partitionData: [{ index: 0, records }] }] })
  const errorCode = responses[0]?.partitionResponses[0]?.errorCode
  if (errorCode !== 0) throw new Error(`a batch for ${name} was refused with ${errorCode}`)
}
const configure = (side: Side, name: string, policy: string) =>
  side.call(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: 2, resourceName: name, configs: [{ name: "cleanup.policy", configOperation: 0, value: policy }] }],
    validateOnly: false
  })

const fetched = async (side: Side, name: string, from: number): Promise<ReadonlyArray<RecordBatch>> => {
  const { responses } = await side.call(Fetch, 12, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: 1_000_000 }] }]
  })
  return Either.getOrThrow(readableBatches(responses[0]?.partitions[0]?.records ?? new Uint8Array()))
}
const everyBatch = async (side: Side, name: string): Promise<ReadonlyArray<RecordBatch>> => {
  const all: Array<RecordBatch> = []
  for (;;) {
    const some = await fetched(side, name, all.at(-1)?.nextOffset ?? 0)
    if (some.length === 0) return all
    all.push(...some)
  }
}
const recordsOf = (batch: RecordBatch): ReadonlyArray<string> =>
  Either.getOrThrow(readRecords(batch, decompress, 1_000_000)).map(
    ({ headers, key, offset, timestamp, value }) =>
      `${offset} at ${timestamp}: ${key && text.decode(key)}=${value && text.decode(value)} ${headers.map((header) => `${header.key}=${text.decode(header.value ?? new Uint8Array())}`).join()}`
  )

/** Everything of a batch but what names the producer, and what its timestamps are relative to. */
const shown = (batch: RecordBatch): string =>
  [
    `${batch.baseOffset}-${batch.lastOffset}`,
    `${batch.recordCount} records`,
    batch.codec,
    batch.hasProducerId ? `sequence ${batch.baseSequence}-${batch.lastSequence}, epoch ${batch.producerEpoch}` : "no producer",
    `leader epoch ${batch.partitionLeaderEpoch}`,
    `until ${batch.maxTimestamp}`,
    batch.deleteHorizonMs === undefined ? "no horizon" : "horizon",
    ...recordsOf(batch)
  ].join(" | ")

const noteLog = async (side: Side, name: string, label: string): Promise<void> => {
  const batches = await everyBatch(side, name)
  for (const batch of batches) side.note(`${label}, batch ${batch.baseOffset}`, { batch: shown(batch) })
  side.note(`${label}, batches`, { bases: batches.map(({ baseOffset }) => baseOffset).join() })
  const end = batches.at(-1)?.nextOffset ?? 0
  const next: Array<number | undefined> = []
  for (const offset of range(0, end)) next.push((await fetched(side, name, offset))[0]?.baseOffset)
  side.note(`${label}, from each offset`, { next: next.join() })
  for (const timestamp of [-1, -2, -3, 0, ...range(0, 11).map((number) => begin + number * (segmentMs + 1000) + 1)])
    await side.ask(`${label}, offset at ${timestamp}`, ListOffsets, 7, {
      replicaId: -1,
      topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: BigInt(timestamp) }] }]
    })
}

/** The log cleaner has been here when this record is gone. */
const cleaned = (side: Side, name: string, record: RegExp) =>
  until(`${name} is compacted`, async () => !(await everyBatch(side, name)).some((batch) => recordsOf(batch).some((line) => record.test(line))), 120_000)

/** The same batches, compacted by both: what is kept, where, and what is answered about it. Tombstones go in the second round. */
export const compaction: Scenario = async (side) => {
  const name = "compacted-1"
  await side.topic(name, 1, {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "segment.ms": String(segmentMs),
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "1"
  })
  const producer = async () => ({
    producerId: (await side.call(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })).producerId,
    producerEpoch: 0,
    baseSequence: 0
  })
  const [one, other] = [await producer(), await producer()]
  const first = batchOf(3, [["a", "3"], ["f", "1"], ["g", "1"]], one) // biome-ignore format: a table
  const batches = [
    batchOf(0, [["a", "1"], ["b", "1"], ["c", "1"]]), // biome-ignore format: a table
    batchOf(1, [["a", "2"], ["d", "1"], ["b", null]], { codec: "gzip" }), // biome-ignore format: a table
    batchOf(2, [[null, "x"], ["e", "1"]]), // biome-ignore format: a table
    first,
    batchOf(4, [["a", "4"], ["f", "2"]], other), // biome-ignore format: a table
    batchOf(5, [["g", "2"], ["h", "1"], ["", "empty"]], { codec: "lz4" }), // biome-ignore format: a table
    batchOf(6, [["a", "5"], ["f", "3"], ["h", null]], { codec: "zstd" }), // biome-ignore format: a table
    batchOf(7, [["g", "3"], ["i", "1"]], { codec: "snappy" }), // biome-ignore format: a table
    batchOf(8, [["end", "1"]])
  ]
  for (const batch of batches) await put(side, name, batch.slice())
  await configure(side, name, "compact")
  await cleaned(side, name, /: a=4/)
  await noteLog(side, name, "once")
  const send = (label: string, records: Uint8Array) =>
    side.ask(label, Produce, 9, { acks: -1, timeoutMs: 10_000, topicData: [{ name, partitionData: [{ index: 0, records }] }] })
  await send("a repeated batch, of which no record is left", first.slice())
  await send("no key", batchOf(8, [["a", "x"], [null, "y"]])) // biome-ignore format: a table
  await side.ask("records deleted", DeleteRecords, 2, { topics: [{ name, partitions: [{ partitionIndex: 0, offset: 3n }] }], timeoutMs: 10_000 })
  await configure(side, name, "delete")
  await put(
    side,
    name,
    batchOf(9, [
      ["a", "6"],
      ["c", null]
    ])
  )
  await put(side, name, batchOf(10, [["end", "2"]]))
  await configure(side, name, "compact,delete")
  await cleaned(side, name, /: a=5/)
  await noteLog(side, name, "twice")
  await side.ask("records deleted, as the policy lets", DeleteRecords, 2, {
    topics: [{ name, partitions: [{ partitionIndex: 0, offset: 5n }] }],
    timeoutMs: 10_000
  })
  await side.ask("the start in a gap", ListOffsets, 7, { replicaId: -1, topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -2n }] }] })
}
