import { crc32c } from "../../domain/log/crc32c.ts"
import { encodeBatch } from "../../domain/log/record.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { Metadata } from "../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../src/protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../src/protocol/message/20-delete-topics.ts"
import { answerOf, call, frameOf, type ResponseFrame, type Wire, withWire } from "./wire.ts"

/** Produce by topic name: both brokers take it, and both must read it the same way. */
const produceVersion = 11
const readyWithinMs = 120_000

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly configs?: Readonly<Record<string, string>>
}

/** A partition keeps half a GB unless told otherwise, so that neither a disk nor the page cache fills up. */
const kept = { "segment.bytes": "134217728", "retention.bytes": "536870912" }

/** Requests metadata once; false while no node answers. With a topic: until all its partitions have a leader. */
export const answersMetadata = (port: number, topic?: TopicSpec): Promise<boolean> =>
  withWire(port, async (wire) => {
    const { brokers, topics } = await call(wire, Metadata, 12, { topics: topic === undefined ? [] : [{ name: topic.name }] })
    if (brokers.length === 0) return false
    return topic === undefined || topics[0]?.partitions.filter(({ leaderId }) => leaderId >= 0).length === topic.partitions
  }).catch(() => false)

/** Creates a topic and waits until each of its partitions takes records. */
export const createTopic = (port: number, { name, partitions, configs }: TopicSpec): Promise<void> =>
  withWire(port, async (wire) => {
    const settings = Object.entries({ ...kept, ...configs }).map(([key, value]) => ({ name: key, value }))
    const topics = [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: settings }]
    const end = performance.now() + readyWithinMs
    // A broker that has just started answers before it takes topics.
    for (;;) {
      const created = (await call(wire, CreateTopics, 7, { topics, timeoutMs: 60_000 })).topics[0]
      if (created?.errorCode === 0) break
      if (performance.now() > end) throw new Error(`topic ${name}: error ${created?.errorCode} ${created?.errorMessage ?? ""}`)
      await Bun.sleep(50)
    }
    for (let partition = 0; partition < partitions; partition++) {
      while ((await appendOne(wire, name, partition)) === undefined) {
        if (performance.now() > end) throw new Error(`partition ${partition} of topic ${name} takes no records`)
        await Bun.sleep(20)
      }
    }
  })

/** Removes a topic, and with it what it holds on the disk. */
export const deleteTopic = (port: number, name: string): Promise<void> =>
  withWire(port, async (wire) => void (await call(wire, DeleteTopics, 5, { topicNames: [name], timeoutMs: 30_000 })))

/** A batch of `records` values of `valueBytes` random-looking bytes, as a client would send it. */
export const batchOf = (records: number, valueBytes: number): Uint8Array => {
  let seed = 1
  const value = Uint8Array.from({ length: valueBytes }, () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) & 0xff)
  const one = { timestamp: Date.now(), key: null, value, headers: [] }
  return encodeBatch({ codec: "none", records: Array.from({ length: records }, () => one) }, { crc32c, compress: (_, bytes) => bytes })
}

export const produceFrame = (topic: string, index: number, records: Uint8Array, acks: number): Uint8Array =>
  frameOf(Produce, produceVersion, { acks, timeoutMs: 30_000, topicData: [{ name: topic, partitionData: [{ index, records }] }] })

/** What a Produce of one partition was answered. */
export const producedOf = (answer: ResponseFrame): { readonly errorCode: number; readonly baseOffset: bigint } => {
  const partition = answerOf(Produce, produceVersion, answer).responses[0]?.partitionResponses[0]
  return { errorCode: partition?.errorCode ?? -1, baseOffset: partition?.baseOffset ?? -1n }
}

/** Appends one small record: the offset after it, or undefined where the partition takes none yet. */
export const appendOne = async (wire: Wire, topic: string, partition: number): Promise<number | undefined> => {
  const { baseOffset, errorCode } = producedOf(await wire.ask(produceFrame(topic, partition, batchOf(1, 1), 1)))
  return errorCode === 0 ? Number(baseOffset) + 1 : undefined
}
