import { type KafkaError, kafkaError } from "../../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../../domain/kernel/id.ts"
import { Fetch } from "../../../protocol/message/01-fetch.ts"
import type { RequestDraft, ResponseOf } from "../../../protocol/type/wire.ts"
import type { ClusterView } from "../../metadata/view.ts"
import type { FetchPlace, FetchSession } from "./fetch-session.ts"
import type { PartitionReader } from "./partition-reader.ts"
import type { FetchSettings } from "./settings.ts"

/** The last version that names topics by name; from the next on only ids. */
export const lastByName = 12
/** The first version that has sessions. */
const firstWithSessions = 7

export interface FetchCall {
  readonly request: RequestDraft<typeof Fetch>
  readonly versionMax: number
  /** The lowest version that can say it. */
  readonly versionMin: number
  /** What was asked, to place what comes. */
  readonly asked: ReadonlyArray<{ readonly reader: PartitionReader; readonly from: number }>
}

/** Partitions under their topics, in their order. */
const byTopic = <A>(places: ReadonlyArray<FetchPlace>, partitionOf: (place: FetchPlace) => A) => {
  const topics = new Map<string, { topic: string; topicId: string; partitions: Array<A> }>()
  for (const place of places) {
    const { topic, topicId } = place
    const key = `${topicId} ${topic}`
    let of = topics.get(key)
    if (of === undefined) {
      of = { topic, topicId, partitions: [] }
      topics.set(key, of)
    }
    of.partitions.push(partitionOf(place))
  }
  return [...topics.values()]
}

/** One fetch over the partitions that a node leads: in a session, what has changed of it. */
export const fetchCall = (
  readers: ReadonlyArray<PartitionReader>,
  view: ClusterView,
  reading: FetchSettings,
  maxBytes: number,
  session: FetchSession
): FetchCall => {
  const places = readers.map(({ fetchFrom, partition, topic, topicId }) => ({
    topic,
    topicId,
    partition,
    from: fetchFrom,
    // Whoever leads under another epoch refuses: a leader that was replaced and does not know it cannot give what others no longer see.
    leaderEpoch: view.topics.get(topic)?.partitions[partition]?.leaderEpoch ?? -1,
    bytesMax: reading.partitionBytesMax
  }))
  const byIds = places.every(({ topicId }) => topicId !== zeroTopicId)
  const { changed, forgotten, sessionEpoch, sessionId } = session.next(places, byIds)
  const request = {
    maxWaitMs: reading.fetchWaitMs,
    minBytes: 1,
    maxBytes,
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
    // Before that a request stands for itself, and what it does not name is not fetched.
    versionMin: session.isOpening ? 0 : firstWithSessions,
    asked: readers.map((reader) => ({ reader, from: reader.fetchFrom }))
  }
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
  const byTopicName = new Map<string, Map<number, { readonly reader: PartitionReader; readonly from: number }>>()
  for (const one of asked) {
    // By id where the answer has ids, by name else: both lead to the same.
    for (const name of [one.reader.topic, one.reader.topicId]) {
      const partitions = byTopicName.get(name) ?? new Map()
      partitions.set(one.reader.partition, one)
      byTopicName.set(name, partitions)
    }
  }
  return response.responses.flatMap((topic) =>
    topic.partitions.flatMap((partition) => {
      const one = byTopicName.get(topic.topic !== "" ? topic.topic : topic.topicId)?.get(partition.partitionIndex)
      if (one === undefined) return []
      const { errorCode, highWatermark, records } = partition
      return [{ ...one, error: kafkaError(errorCode), records, highWatermark: Number(highWatermark) }]
    })
  )
}
