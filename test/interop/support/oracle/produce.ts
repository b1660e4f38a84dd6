import { fieldAt } from "../../../../domain/log/batch.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { InitProducerId } from "../../../../src/protocol/message/22-init-producer-id.ts"
import { zeroUuid } from "../../../../src/protocol/type/wire.ts"
import { batch, changed, sequenced, together } from "./records.ts"
import { range, type Scenario, type Side } from "./side.ts"

const request = (name: string, index: number, records: Uint8Array | null, acks = -1) => ({
  acks,
  timeoutMs: 10_000,
  topicData: [{ name, partitionData: [{ index, records }] }]
})

const producer = async (side: Side): Promise<bigint> => (await side.call(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })).producerId

export const produceForms: Scenario = async (side) => {
  const id = await side.topic("forms", 2)
  await side.each("one batch", Produce, range(3, 12), () => request("forms", 0, batch(2)))
  const byId = (topicId: string, index = 0) => ({ acks: -1, timeoutMs: 10_000, topicData: [{ topicId, partitionData: [{ index, records: batch(1) }] }] })
  await side.ask("by id", Produce, 13, byId(id))
  await side.ask("by id, unknown partition", Produce, 13, byId(id, 7))
  await side.ask("by an unknown id", Produce, 13, byId("AAAAAAAAAAAAAAAAAAAAZg"))
  await side.ask("by the zero id", Produce, 13, byId(zeroUuid))
  for (const acks of [1, 2, -2]) await side.ask(`acks ${acks}`, Produce, 9, request("forms", 0, batch(1), acks))
  await side.ask("unknown topic", Produce, 9, request("nowhere", 0, batch(1)))
  await side.ask("illegal topic", Produce, 9, request("no where", 0, batch(1)))
  await side.ask("empty topic name", Produce, 9, request("", 0, batch(1)))
  await side.ask("unknown partition", Produce, 9, request("forms", 2, batch(1)))
  await side.ask("negative partition", Produce, 9, request("forms", -1, batch(1)))
  await side.ask("empty records", Produce, 9, request("forms", 0, new Uint8Array(0)))
  await side.ask("two batches", Produce, 9, request("forms", 0, together(batch(1), batch(1))))
  await side.ask("transactional id v12", Produce, 12, { ...request("forms", 0, batch(1)), transactionalId: "t" })
  const two = {
    acks: -1,
    timeoutMs: 10_000,
    topicData: [
      {
        name: "forms",
        partitionData: [
          { index: 0, records: batch(1) },
          { index: 9, records: batch(1) }
        ]
      },
      { name: "gone", partitionData: [{ index: 0, records: batch(1) }] }
    ]
  }
  await side.ask("several, some wrong", Produce, 9, two)
  await side.ask("no topics", Produce, 9, { acks: -1, timeoutMs: 10_000, topicData: [] })
  await side.ask("timeout 0", Produce, 9, { ...request("forms", 1, batch(1)), timeoutMs: 0 })
}

export const produceRecords: Scenario = async (side) => {
  await side.topic("records", 1)
  const send = (label: string, records: Uint8Array, version = 9) => side.ask(label, Produce, version, request("records", 0, records))
  const good = batch(3)
  await send("crc", changed(good, good.length - 1, 77))
  await send("magic 1", changed(good, fieldAt.magic, 1))
  await send("magic 0", changed(good, fieldAt.magic, 0))
  await send("magic 3", changed(good, fieldAt.magic, 3))
  await send("cut off", good.subarray(0, good.length - 3))
  await send("a header alone", good.subarray(0, 20))
  await send("codec 6", changed(good, fieldAt.attributes + 1, 6))
  await send("record count 2 of 3", changed(good, fieldAt.recordCount + 3, 2))
  await send("control batch", batch(1, { isControl: true }))
  await send("transactional without producer", batch(1, { isTransactional: true }))
  await send("transactional", batch(1, { isTransactional: true, producerId: 5n, producerEpoch: 0, baseSequence: 0 }))
  await send("zstd", batch(3, { codec: "zstd" }))
  await send("zstd v6", batch(3, { codec: "zstd" }), 6)
  await send("zstd that is none", changed(batch(3, { codec: "zstd" }), fieldAt.records, 1))
  await send("base offset 5", batch(2, { baseOffset: 5 }))
  await send("no time", batch(1, {}, -1))
  await send("the far future", batch(1, {}, Date.now() + 100_000_000))
  await send("too large", batch(1, { records: [{ timestamp: 1, key: null, value: new Uint8Array(1_100_000) }] }))
  await send("log append time from the client", batch(1, { logAppendTime: 1234 }))
  await send("keyless to a plain topic", batch(1))
}

export const produceStamped: Scenario = async (side) => {
  await side.topic("stamped", 1, { "message.timestamp.type": "LogAppendTime" })
  await side.each("log append time", Produce, [3, 5, 8, 12], () => request("stamped", 0, batch(2)))
  const mine = sequenced(await producer(side), 0, 0, 2)
  await side.ask("log append time, idempotent", Produce, 9, request("stamped", 0, mine))
  await side.ask("log append time, repeated", Produce, 9, request("stamped", 0, mine))
  await side.topic("small", 1, { "max.message.bytes": "100" })
  await side.ask("max.message.bytes", Produce, 9, request("small", 0, batch(20)))
  await side.topic("punctual", 1, { "message.timestamp.before.max.ms": "1000" })
  await side.ask("too old", Produce, 9, request("punctual", 0, batch(1)))
}

/** A topic may ask for more replicas in sync than a partition has: it never needs more than those (KIP-966). */
export const produceReplicas: Scenario = async (side) => {
  await side.topic("lonely", 1, { "min.insync.replicas": "2" })
  for (const acks of [-1, 1]) await side.ask(`acks ${acks}`, Produce, 9, request("lonely", 0, batch(1), acks))
  await side.ask("a batch that is wrong besides", Produce, 9, request("lonely", 0, changed(batch(1), fieldAt.magic, 1)))
}

export const produceSequences: Scenario = async (side) => {
  await side.topic("sequences", 3)
  const send = (label: string, records: Uint8Array, index = 0) => side.ask(label, Produce, 9, request("sequences", index, records))
  const id = await producer(side)
  await send("first", sequenced(id, 0, 0, 2))
  await send("again", sequenced(id, 0, 0, 2))
  await send("next", sequenced(id, 0, 2, 3))
  await send("the first once more", sequenced(id, 0, 0, 2))
  await send("overlap", sequenced(id, 0, 0, 5))
  await send("part of an old one", sequenced(id, 0, 2, 1))
  await send("gap", sequenced(id, 0, 9, 1))
  await send("new epoch, wrong sequence", sequenced(id, 1, 5, 1))
  await send("new epoch", sequenced(id, 1, 0, 1))
  await send("old epoch", sequenced(id, 0, 5, 1))
  await send("two batches of one producer", together(sequenced(id, 1, 1, 1), sequenced(id, 1, 2, 1)))
  await send("negative epoch", sequenced(id, -1, 0, 1))
  await send("negative sequence", sequenced(id, 1, -1, 1))
  const stranger = await producer(side)
  await send("an unknown producer, sequence 5", sequenced(stranger, 0, 5, 1), 1)
  await send("then 0", sequenced(stranger, 0, 0, 1), 1)
  await send("then 6", sequenced(stranger, 0, 6, 1), 1)
  await send("an id that was never given", sequenced(987_654n, 3, 0, 1), 2)
  for (const at of range(1, 6)) await send(`batch ${at} of seven`, sequenced(987_654n, 3, at, 1), 2)
  await send("the one before the last five", sequenced(987_654n, 3, 1, 1), 2)
  await send("the fifth last", sequenced(987_654n, 3, 2, 1), 2)
  await send("up to the end", sequenced(987_655n, 0, 2_147_483_645, 3), 2)
  await send("around", sequenced(987_655n, 0, 0, 1), 2)
}

export const initProducer: Scenario = async (side) => {
  const draft = { transactionalId: null, transactionTimeoutMs: 60_000 }
  await side.each("new", InitProducerId, range(0, 5), () => draft)
  const id = await producer(side)
  await side.ask("with id and epoch", InitProducerId, 4, { ...draft, producerId: id, producerEpoch: 0 })
  await side.ask("with an unknown id", InitProducerId, 4, { ...draft, producerId: 999_999n, producerEpoch: 3 })
  await side.ask("with id alone", InitProducerId, 4, { ...draft, producerId: id })
  await side.ask("with epoch alone", InitProducerId, 4, { ...draft, producerEpoch: 3 })
  await side.ask("with negative timeout", InitProducerId, 4, { ...draft, transactionTimeoutMs: -1 })
  await side.ask("empty transactional id", InitProducerId, 4, { ...draft, transactionalId: "" })
  await side.ask("transactional id", InitProducerId, 4, { ...draft, transactionalId: "t" })
}
