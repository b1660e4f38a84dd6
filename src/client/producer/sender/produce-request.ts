import { zeroTopicId } from "../../../../domain/kernel/id.ts"
import type { Codec } from "../../../../domain/log/codec.ts"
import { type Encoding, encodeBatch } from "../../../../domain/log/record.ts"
import { Produce } from "../../../protocol/message/00-produce.ts"
import type { RequestDraft, ResponseOf } from "../../../protocol/type/wire.ts"
import type { ClusterView } from "../../metadata/view.ts"
import type { ProduceBatch } from "../accumulator/batch.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"
import type { ProducerSettings } from "../accumulator/settings.ts"

/** A batch in flight, and the queue of its partition. */
export interface InFlightBatch {
  readonly queue: PartitionQueue
  readonly batch: ProduceBatch
}

/** Returns the encoded batch. It is encoded once, so that every retry sends the same bytes. */
export const bytesOf = (batch: ProduceBatch, codec: Codec, encoding: Encoding): Uint8Array => {
  batch.bytes ??= encodeBatch(
    {
      records: batch.records,
      codec,
      ...(batch.producer === undefined ? {} : { producerId: batch.producer.producerId, producerEpoch: batch.producer.epoch, baseSequence: batch.baseSequence })
    },
    encoding
  )
  return batch.bytes
}

/**
 * The first version that names topics by their ids alone. Older clusters, and topics without an id, need the version
 * before.
 */
const firstByIdOnly = 13

export interface VersionedProduceRequest {
  readonly request: RequestDraft<typeof Produce>
  readonly version: number
}

/**
 * Makes one Produce request of encoded batches, at most one of each partition. `versionMax`: the highest version that
 * both sides know.
 */
export const produceRequest = (
  batches: ReadonlyArray<InFlightBatch>,
  view: ClusterView,
  versionMax: number,
  settings: ProducerSettings,
  encoding: Encoding
): VersionedProduceRequest => {
  const byTopic = new Map<string, Array<{ index: number; records: Uint8Array }>>()
  for (const { batch, queue } of batches) {
    const entry = { index: queue.partition, records: bytesOf(batch, settings.compression, encoding) }
    const partitions = byTopic.get(queue.topic)
    if (partitions === undefined) byTopic.set(queue.topic, [entry])
    else partitions.push(entry)
  }
  const topicData = [...byTopic].map(([name, partitionData]) => ({ name, topicId: view.topics.get(name)?.topicId ?? zeroTopicId, partitionData }))
  const version = topicData.some(({ topicId }) => topicId === zeroTopicId) ? Math.min(versionMax, firstByIdOnly - 1) : versionMax
  return { request: { transactionalId: null, acks: settings.acks, timeoutMs: settings.requestTimeoutMs, topicData }, version }
}

export type PartitionProduceResponse = ResponseOf<typeof Produce>["responses"][number]["partitionResponses"][number]

/**
 * Returns the part of the response for each batch; undefined where the response leaves a partition out. Partitions that
 * the request did not name are passed over.
 */
export const responsesByBatch = (
  response: ResponseOf<typeof Produce>,
  request: RequestDraft<typeof Produce>,
  batches: ReadonlyArray<InFlightBatch>
): ReadonlyArray<PartitionProduceResponse | undefined> => {
  const names = new Map(request.topicData.map(({ name, topicId }) => [topicId ?? zeroTopicId, name ?? ""]))
  const byPartition = new Map<string, PartitionProduceResponse>()
  for (const topic of response.responses) {
    const name = topic.name !== "" ? topic.name : (names.get(topic.topicId) ?? "")
    for (const partition of topic.partitionResponses) byPartition.set(`${partition.index} ${name}`, partition)
  }
  return batches.map(({ queue }) => byPartition.get(`${queue.partition} ${queue.topic}`))
}
