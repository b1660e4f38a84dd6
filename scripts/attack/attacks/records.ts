/** Attacks on logs: batches that are not what they say. */
import { gzipSync, zstdCompressSync } from "node:zlib"
import { fieldAt } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { batchOf } from "../../bench/topic.ts"
import { type Attack, scaled } from "../attack.ts"
import { Raw, withRaw } from "../raw.ts"

/** A batch with other fields and another payload, under a right CRC. */
interface Lie {
  readonly payload?: Uint8Array
  readonly codec?: number
  readonly count?: number
  readonly lastOffsetDelta?: number
  readonly producerId?: bigint
  readonly baseSequence?: number
}
const good = batchOf(3, 20)
const lying = ({ baseSequence, codec = 0, count, lastOffsetDelta, payload, producerId }: Lie): Uint8Array => {
  const records = payload ?? good.subarray(fieldAt.records)
  const bytes = new Uint8Array(fieldAt.records + records.length)
  bytes.set(good.subarray(0, fieldAt.records))
  bytes.set(records, fieldAt.records)
  const view = new DataView(bytes.buffer)
  view.setInt32(fieldAt.batchLength, bytes.length - 12)
  view.setInt16(fieldAt.attributes, codec)
  if (count !== undefined) view.setInt32(fieldAt.recordCount, count)
  view.setInt32(fieldAt.lastOffsetDelta, lastOffsetDelta ?? (count === undefined ? 2 : count - 1))
  if (producerId !== undefined) {
    view.setBigInt64(fieldAt.producerId, producerId)
    view.setInt16(fieldAt.producerEpoch, 0)
    view.setInt32(fieldAt.baseSequence, baseSequence ?? 0)
  }
  view.setUint32(fieldAt.crc, crc32c(bytes.subarray(fieldAt.attributes)))
  return bytes
}

const produceOf = (topic: string, records: Uint8Array) => ({
  acks: -1,
  timeoutMs: 30_000,
  topicData: [{ name: topic, partitionData: [{ index: 0, records }] }]
})
const plain = good.subarray(fieldAt.records)

const lies: ReadonlyArray<readonly [name: string, batch: Uint8Array]> = [
  ["a zstd batch that says 2^31 - 1 records", lying({ codec: 4, payload: zstdCompressSync(plain), count: 0x7fffffff })],
  ["a gzip batch that says 2^31 - 1 records", lying({ codec: 1, payload: gzipSync(plain), count: 0x7fffffff })],
  ["a plain batch that says 2^31 - 1 records", lying({ count: 0x7fffffff })],
  ["a plain batch that says a million records", lying({ count: 1_000_000 })],
  ["a batch without records", lying({ count: 0, payload: new Uint8Array(0) })],
  ["a negative count", lying({ count: -1, lastOffsetDelta: -2 })],
  ["a last offset that is too far", lying({ lastOffsetDelta: 100_000 })],
  ["records that are cut off", lying({ payload: plain.subarray(0, plain.length - 5) })],
  ["bytes that are no records", lying({ payload: new Uint8Array(100).fill(0xff) })],
  ["a gzip bomb", lying({ codec: 1, payload: gzipSync(new Uint8Array(200_000_000)) })],
  ["a zstd bomb", lying({ codec: 4, payload: zstdCompressSync(new Uint8Array(500_000_000)) })]
]

const lyingBatches: Attack = {
  name: "lying-batches",
  about: "batches under a right CRC whose counts, lengths and payloads are not what they say, compressed and plain",
  run: async (aim) => {
    const taken = new Map<string, number>()
    const rounds = scaled(aim, 2000)
    await withRaw(aim.port, async (raw) => {
      for (let round = 0; round < rounds && aim.goesOn(); round++)
        for (const [name, batch] of lies) {
          const answer = await raw.call(Produce, 9, produceOf(aim.topic, batch))
          if (answer.responses[0]?.partitionResponses[0]?.errorCode === 0) taken.set(name, (taken.get(name) ?? 0) + 1)
        }
    })
    return taken.size === 0 ? "all were refused" : `taken: ${[...taken].map(([name, times]) => `${name} (${times} times)`).join(", ")}`
  },
  // Whatever was taken, a consumer gets past it: from the start on, each answer has a batch that leads further.
  verify: (aim) =>
    withRaw(aim.port, async (raw) => {
      let offset = 0n
      for (let step = 0; step < 5000; step++) {
        const { responses } = await raw.call(Fetch, 12, {
          maxWaitMs: 0,
          minBytes: 1,
          isolationLevel: 0,
          topics: [{ topic: aim.topic, partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1 << 20 }] }],
          forgottenTopicsData: [],
          rackId: ""
        })
        const part = responses[0]?.partitions[0]
        if (part === undefined || part.errorCode !== 0) return `Fetch of ${aim.topic}-0@${offset} is answered with error ${part?.errorCode}`
        if (offset >= part.highWatermark)
          return part.highWatermark > 1_000_000n ? `${aim.topic}-0 has ${part.highWatermark} offsets, and no such number of records was sent` : undefined
        const records = part.records
        if (records === null || records.length < fieldAt.records)
          return `Fetch of ${aim.topic}-0@${offset} gives nothing, and the log ends at ${part.highWatermark}`
        const view = new DataView(records.buffer, records.byteOffset, records.length)
        let at = 0
        while (at + fieldAt.records <= records.length && at + 12 + view.getInt32(at + fieldAt.batchLength) <= records.length) {
          offset = view.getBigInt64(at) + BigInt(view.getInt32(at + fieldAt.lastOffsetDelta)) + 1n
          at += 12 + view.getInt32(at + fieldAt.batchLength)
        }
      }
      return undefined
    })
}

const manyProducers: Attack = {
  name: "many-producers",
  about: "a batch each of a million producers with ids of their own: what a partition remembers of each is bounded",
  run: async (aim) => {
    let stored = 0
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      const raw = await Raw.open(aim.port)
      if (raw === undefined) return
      try {
        for (let nth = 0; nth < scaled(aim, 250_000) && aim.goesOn(); nth++) {
          const batch = lying({ producerId: BigInt(1_000_000 + nth * 4 + lane) })
          const answer = await raw.call(Produce, 9, produceOf(aim.topic, batch))
          if (answer.responses[0]?.partitionResponses[0]?.errorCode === 0) stored++
        }
      } catch {
        // Refused with its connection: what was stored is counted.
      }
      raw.close()
    })
    await Promise.all(lanes)
    return `${stored} batches were stored`
  }
}

export const recordAttacks: ReadonlyArray<Attack> = [lyingBatches, manyProducers]
