import type { TopicId } from "../../../domain/kernel/id.ts"
import { type Steps, Stride } from "../../wire/sliced.ts"
import type { TopicRef } from "../cluster/current-leader.ts"
import type { FetchRequest, PartitionRequest, PartitionResponse, Pass, TopicResponse } from "./fetch-pass.ts"
import { type SessionPartition, topicIdsSince } from "./fetch-session.ts"

/** Partitions that one Fetch reads without a pause. Each takes about 1 µs, and longer if it has records. */
export const partitionsAtOnce = 256
/** Bytes of records, and partitions, that are read between two pauses. */
const bytesPerStep = 1_048_576
const looksPerStep = 64

/** A topic of a Fetch, with its partitions. */
export interface TopicRequest {
  readonly topic: string
  readonly topicId: string
  readonly partitions: ReadonlyArray<PartitionRequest>
}

type FetchPartition = FetchRequest["topics"][number]["partitions"][number]
const partitionRequestOf = (
  ref: TopicRef,
  { currentLeaderEpoch, fetchOffset, lastFetchedEpoch, logStartOffset, partition, partitionMaxBytes }: FetchPartition
): PartitionRequest => ({
  ref,
  index: partition,
  from: Number(fetchOffset),
  bytesMax: partitionMaxBytes,
  epoch: currentLeaderEpoch,
  lastEpoch: lastFetchedEpoch,
  logStart: Number(logStartOffset)
})
const refOf = ({ topic, topicId }: FetchRequest["topics"][number], version: number): TopicRef =>
  version >= topicIdsSince ? { topicId: topicId as TopicId } : { name: topic }

/** Returns an upper bound of the partitions that a request names. */
export const sizeOf = ({ topics }: Pick<FetchRequest, "topics">): number => {
  let size = topics.length
  for (const { partitions } of topics) size += partitions.length
  return size
}

/** Returns the topics of a request of few partitions, in its order. */
export const topicRequests = ({ topics }: FetchRequest, version: number): ReadonlyArray<TopicRequest> =>
  topics.map((asked) => {
    const ref = refOf(asked, version)
    return { topic: asked.topic, topicId: asked.topicId, partitions: asked.partitions.map((each) => partitionRequestOf(ref, each)) }
  })

/**
 * Returns the topics of a request of many partitions, each topic and partition once: if the request names a partition twice, the last mention counts, as in Kafka. The result refers to
 * nothing of the request itself, which may be a hundred times as large.
 */
export function* folded({ topics }: FetchRequest, version: number): Steps<ReadonlyArray<TopicRequest>> {
  const byTopic = new Map<string, { readonly topic: string; readonly topicId: string; readonly partitions: Map<number, PartitionRequest> }>()
  const stride = new Stride()
  for (const asked of topics) {
    const { partitions, topic, topicId } = asked
    if (stride.takes()) yield
    if (partitions.length === 0) continue
    const key = version >= topicIdsSince ? topicId : topic
    const known = byTopic.get(key) ?? { topic, topicId, partitions: new Map<number, PartitionRequest>() }
    byTopic.set(key, known)
    const ref = refOf(asked, version)
    for (const each of partitions) {
      known.partitions.set(each.partition, partitionRequestOf(ref, each))
      if (stride.takes()) yield
    }
  }
  return [...byTopic.values()].map((of) => ({ topic: of.topic, topicId: of.topicId, partitions: of.partitions.values().toArray() }))
}

/** Reads all partitions, in order. */
export const walk = (topics: ReadonlyArray<TopicRequest>, pass: Pass): ReadonlyArray<TopicResponse> =>
  topics.map(({ partitions, topic, topicId }) => ({ topic, topicId, partitions: partitions.map((each) => pass.take(each)) }))

/** Determines when a walk pauses: after some partitions, or some bytes. */
class Strides {
  private looks = 0
  private bytes = 0
  constructor(private readonly pass: Pass) {}

  get isPauseDue(): boolean {
    if (++this.looks < looksPerStep && this.pass.bytes - this.bytes < bytesPerStep) return false
    this.looks = 0
    this.bytes = this.pass.bytes
    return true
  }
}

/** As `walk`, with pauses. */
export function* walkInSlices(topics: ReadonlyArray<TopicRequest>, pass: Pass): Steps<ReadonlyArray<TopicResponse>> {
  const strides = new Strides(pass)
  const responses: Array<TopicResponse> = []
  for (const { partitions, topic, topicId } of topics) {
    const taken: Array<PartitionResponse> = []
    for (const each of partitions) {
      taken.push(pass.take(each))
      if (strides.isPauseDue) yield
    }
    responses.push({ topic, topicId, partitions: taken })
    if (strides.isPauseDue) yield
  }
  return responses
}

/** Partitions that are still read when a response is full: their errors need not wait, and the others come first in the next response. */
const looksPastFullMax = 1000

/** Reads these partitions, in order, until the response is full. */
export const walkDue = (due: ReadonlyArray<SessionPartition>, pass: Pass): ReadonlyArray<PartitionResponse> => {
  const responses: Array<PartitionResponse> = []
  let past = 0
  for (const partition of due) {
    if (pass.isFull && past++ >= looksPastFullMax) break
    responses.push(pass.take(partition))
  }
  return responses
}

/** As `walkDue`, with pauses. */
export function* walkDueInSlices(due: ReadonlyArray<SessionPartition>, pass: Pass): Steps<ReadonlyArray<PartitionResponse>> {
  const strides = new Strides(pass)
  const responses: Array<PartitionResponse> = []
  let past = 0
  for (const partition of due) {
    if (pass.isFull && past++ >= looksPastFullMax) break
    responses.push(pass.take(partition))
    if (strides.isPauseDue) yield
  }
  return responses
}
