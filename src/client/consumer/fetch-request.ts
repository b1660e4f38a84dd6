import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import type { ClusterView } from "../metadata/view.ts"
import type { Reading } from "./options.ts"
import type { PartitionReader } from "./partition-reader.ts"

/** The last version that names topics by name; from the next on only ids. */
export const lastByName = 12

export interface FetchCall {
  readonly request: RequestDraft<typeof Fetch>
  readonly versionMax: number
  /** What was asked, to place what comes. */
  readonly asked: ReadonlyArray<{ readonly reader: PartitionReader; readonly from: number }>
}

/** One fetch over the partitions that a node leads. */
export const fetchCall = (readers: ReadonlyArray<PartitionReader>, view: ClusterView, reading: Reading, maxBytes: number): FetchCall => {
  const topics = new Map<string, { topic: string; topicId: string; partitions: Array<RequestDraft<typeof Fetch>["topics"][number]["partitions"][number]> }>()
  for (const reader of readers) {
    let topic = topics.get(reader.topic)
    if (topic === undefined) {
      topic = { topic: reader.topic, topicId: reader.topicId, partitions: [] }
      topics.set(reader.topic, topic)
    }
    topic.partitions.push({
      partition: reader.partition,
      // Whoever leads under another epoch refuses: a leader that was replaced and does not know it cannot give what others no longer see.
      currentLeaderEpoch: view.topics.get(reader.topic)?.partitions[reader.partition]?.leaderEpoch ?? -1,
      fetchOffset: BigInt(reader.fetchFrom),
      partitionMaxBytes: reading.partitionBytesMax
    })
  }
  const request = { maxWaitMs: reading.fetchWaitMs, minBytes: 1, maxBytes, topics: [...topics.values()] }
  const versionMax = request.topics.some(({ topicId }) => topicId === zeroTopicId) ? lastByName : Fetch.latestStable
  return { request, versionMax, asked: readers.map((reader) => ({ reader, from: reader.fetchFrom })) }
}

export interface Fetched {
  readonly reader: PartitionReader
  readonly from: number
  readonly error: KafkaError
  readonly records: Uint8Array | null
  readonly highWatermark: number
}

/** The answer for each partition that was asked for; one that is left out has no news. */
export const fetchedOf = (response: ResponseOf<typeof Fetch>, { asked }: FetchCall): ReadonlyArray<Fetched> => {
  const byTopic = new Map<string, Map<number, { readonly reader: PartitionReader; readonly from: number }>>()
  for (const one of asked) {
    // By id where the answer has ids, by name else: both lead to the same.
    for (const name of [one.reader.topic, one.reader.topicId]) {
      const partitions = byTopic.get(name) ?? new Map()
      partitions.set(one.reader.partition, one)
      byTopic.set(name, partitions)
    }
  }
  return response.responses.flatMap((topic) =>
    topic.partitions.flatMap((partition) => {
      const one = byTopic.get(topic.topic !== "" ? topic.topic : topic.topicId)?.get(partition.partitionIndex)
      if (one === undefined) return []
      const { errorCode, highWatermark, records } = partition
      return [{ ...one, error: kafkaError(errorCode), records, highWatermark: Number(highWatermark) }]
    })
  )
}
