import { type KafkaError, kafkaError } from "../../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../../domain/kernel/id.ts"
import { Fetch } from "../../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../../protocol/type/wire.ts"
import { isolationLevel } from "../../cluster/start-offsets.ts"
import type { ClusterView } from "../../metadata/view.ts"
import type { AbortedTransaction } from "./aborted-transactions.ts"
import type { FetchPartition, FetchSession } from "./fetch-session.ts"
import type { PartitionReader } from "./partition-reader.ts"
import type { FetchSettings } from "./settings.ts"

/** The last version that names topics by their names; later versions name them by ids alone. */
const lastByName = 12
/** The first version that has sessions. */
const firstWithSessions = 7

/** A reader, and the offset from which the request fetches its partition. */
interface RequestedPartition {
  readonly reader: PartitionReader
  readonly from: number
}

export interface VersionedFetchRequest {
  readonly request: RequestDraft<typeof Fetch>
  readonly versionMax: number
  /** The lowest version that has the fields of the request. */
  readonly versionMin: number
  /** All partitions of the session, also those that the request need not name. */
  readonly requested: ReadonlyArray<RequestedPartition>
}

/** Groups partitions by their topics, in their order. */
const byTopic = <A>(partitions: ReadonlyArray<FetchPartition>, each: (partition: FetchPartition) => A) => {
  const topics = new Map<string, { topic: string; topicId: string; partitions: Array<A> }>()
  for (const partition of partitions) {
    const { topic, topicId } = partition
    const key = `${topicId} ${topic}`
    let of = topics.get(key)
    if (of === undefined) {
      of = { topic, topicId, partitions: [] }
      topics.set(key, of)
    }
    of.partitions.push(each(partition))
  }
  return [...topics.values()]
}

/** Makes one fetch for partitions that one node leads. In a session it names what has changed. */
export const fetchRequest = (
  readers: ReadonlyArray<PartitionReader>,
  view: ClusterView,
  settings: FetchSettings,
  maxBytes: number,
  session: FetchSession
): VersionedFetchRequest => {
  const partitions = readers.map(({ fetchFrom, partition, topic, topicId }) => ({
    topic,
    topicId,
    partition,
    from: fetchFrom,
    // The leader of another epoch refuses. A leader that was replaced without knowing it would return records that
    // others no longer have.
    leaderEpoch: view.topics.get(topic)?.partitions[partition]?.leaderEpoch ?? -1,
    bytesMax: settings.partitionBytesMax
  }))
  const byIds = partitions.every(({ topicId }) => topicId !== zeroTopicId)
  const { changed, forgotten, sessionEpoch, sessionId } = session.next(partitions, byIds)
  const request = {
    maxWaitMs: settings.fetchWaitMs,
    minBytes: 1,
    maxBytes,
    isolationLevel: isolationLevel(settings.isolation),
    rackId: settings.rack,
    sessionId,
    sessionEpoch,
    topics: byTopic(changed, ({ bytesMax, from, leaderEpoch, partition }) => ({
      partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: BigInt(from),
      partitionMaxBytes: bytesMax
    })),
    forgottenTopicsData: byTopic(forgotten, ({ partition }) => partition)
  }
  return {
    request,
    versionMax: byIds ? Fetch.latestStable : lastByName,
    // In a version without sessions a partition that the request does not name is not fetched.
    versionMin: session.isOpening ? 0 : firstWithSessions,
    requested: readers.map((reader) => ({ reader, from: reader.fetchFrom }))
  }
}

/** The part of a Fetch response for one partition. */
export interface PartitionFetchResult extends RequestedPartition {
  readonly error: KafkaError
  readonly records: Uint8Array | null
  readonly highWatermark: number
  readonly aborted: ReadonlyArray<AbortedTransaction>
  /** The node to fetch from next; -1: this one. */
  readonly preferredReplica: number
}

/**
 * Returns the results of the partitions in the response. In a session it leaves out those without news; partitions that
 * were not requested are passed over.
 */
export const partitionResults = (response: ResponseOf<typeof Fetch>, { requested }: VersionedFetchRequest): ReadonlyArray<PartitionFetchResult> => {
  const byName = new Map<string, Map<number, RequestedPartition>>()
  for (const one of requested) {
    // The response has ids or names, by its version.
    for (const name of [one.reader.topic, one.reader.topicId]) {
      const partitions = byName.get(name) ?? new Map<number, RequestedPartition>()
      partitions.set(one.reader.partition, one)
      byName.set(name, partitions)
    }
  }
  return response.responses.flatMap((topic) =>
    topic.partitions.flatMap((partition) => {
      const one = byName.get(topic.topic !== "" ? topic.topic : topic.topicId)?.get(partition.partitionIndex)
      if (one === undefined) return []
      const { abortedTransactions, errorCode, highWatermark, preferredReadReplica, records } = partition
      const result = { records, highWatermark: Number(highWatermark), aborted: abortedTransactions ?? [], preferredReplica: preferredReadReplica }
      return [{ ...one, ...result, error: kafkaError(errorCode) }]
    })
  )
}
