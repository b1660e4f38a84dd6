import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../../domain/kernel/id.ts"
import type { Codec } from "../../../../domain/log/codec.ts"
import { type Encoding, encodeBatch } from "../../../../domain/log/record.ts"
import { Produce } from "../../../protocol/message/00-produce.ts"
import type { RequestDraft, ResponseOf } from "../../../protocol/type/wire.ts"
import type { ClusterView } from "../../metadata/view.ts"
import type { OutgoingBatch } from "../accumulator/batch.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"

/** A batch on its way, and the partition it is for. */
export interface Parcel {
  readonly queue: PartitionQueue
  readonly batch: OutgoingBatch
}

/** The batch as bytes; made once, so that every repetition is the same to the byte. */
export const bytesOf = (batch: OutgoingBatch, codec: Codec, encoding: Encoding): Uint8Array => {
  batch.bytes ??= encodeBatch(
    {
      records: batch.waiting.map(({ record }) => record),
      codec,
      ...(batch.identity === undefined ? {} : { producerId: batch.identity.producerId, producerEpoch: batch.identity.epoch, baseSequence: batch.baseSequence })
    },
    encoding
  )
  return batch.bytes
}

/** The first version that names topics by id alone; older clusters, and topics without an id, need the one before. */
const firstByIdOnly = 13

export interface ProduceCall {
  readonly request: RequestDraft<typeof Produce>
  readonly version: number
}

/** One Produce request for at most one batch of each partition. */
export const produceCall = (
  parcels: ReadonlyArray<Parcel>,
  view: ClusterView,
  highest: number,
  settings: { readonly acks: -1 | 0 | 1; readonly timeoutMs: number; readonly compression: Codec },
  encoding: Encoding
): ProduceCall => {
  const byTopic = new Map<string, Array<{ index: number; records: Uint8Array }>>()
  for (const { queue, batch } of parcels) {
    const entry = { index: queue.partition, records: bytesOf(batch, settings.compression, encoding) }
    const there = byTopic.get(queue.topic)
    if (there === undefined) byTopic.set(queue.topic, [entry])
    else there.push(entry)
  }
  const topicData = [...byTopic].map(([name, partitionData]) => ({ name, topicId: view.topics.get(name)?.topicId ?? zeroTopicId, partitionData }))
  const version = topicData.some(({ topicId }) => topicId === zeroTopicId) ? Math.min(highest, firstByIdOnly - 1) : highest
  return { request: { transactionalId: null, acks: settings.acks, timeoutMs: settings.timeoutMs, topicData }, version }
}

export type PartitionAnswer = ResponseOf<typeof Produce>["responses"][number]["partitionResponses"][number]

/** The answer for each parcel; undefined where the response leaves one out. */
export const answersOf = (
  response: ResponseOf<typeof Produce>,
  request: RequestDraft<typeof Produce>,
  parcels: ReadonlyArray<Parcel>
): ReadonlyArray<PartitionAnswer | undefined> => {
  const names = new Map(request.topicData.map(({ name, topicId }) => [topicId ?? zeroTopicId, name ?? ""]))
  const found = new Map<string, PartitionAnswer>()
  for (const topic of response.responses) {
    const name = topic.name !== "" ? topic.name : (names.get(topic.topicId) ?? "")
    for (const partition of topic.partitionResponses) found.set(`${partition.index} ${name}`, partition)
  }
  return parcels.map(({ queue }) => found.get(`${queue.partition} ${queue.topic}`))
}

export const errorOf = (answer: PartitionAnswer) => kafkaError(answer.errorCode)
