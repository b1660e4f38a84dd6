import type { TopicId } from "../../../domain/kernel/id.ts"
import { type Steps, Stride } from "../../wire/sliced.ts"
import type { TopicRef } from "../cluster/current-leader.ts"
import type { FetchRequest, PartitionAnswer, Pass, TopicAnswer, Wanted } from "./fetch-pass.ts"
import { type SessionPartition, topicIdsSince } from "./fetch-session.ts"

/** Partitions that one Fetch looks at in one go. A look takes about a µs, and longer where it reads. */
export const partitionsAtOnce = 256
/** Bytes of records that are read between two pauses, and looks. */
const bytesPerStep = 1_048_576
const looksPerStep = 64

/** A topic that a Fetch names, with what it wants of each partition. */
export interface WantedTopic {
  readonly topic: string
  readonly topicId: string
  readonly partitions: ReadonlyArray<Wanted>
}

type AskedPartition = FetchRequest["topics"][number]["partitions"][number]
const wantedOf = (ref: TopicRef, { currentLeaderEpoch, fetchOffset, partition, partitionMaxBytes }: AskedPartition): Wanted => ({
  ref,
  index: partition,
  from: Number(fetchOffset),
  bytesMax: partitionMaxBytes,
  epoch: currentLeaderEpoch
})
const refOf = ({ topic, topicId }: FetchRequest["topics"][number], version: number): TopicRef =>
  version >= topicIdsSince ? { topicId: topicId as TopicId } : { name: topic }

/** How many partitions a request names, at most. */
export const sizeOf = ({ topics }: Pick<FetchRequest, "topics">): number => {
  let size = topics.length
  for (const { partitions } of topics) size += partitions.length
  return size
}

/** What a request of few partitions wants, as it says it. */
export const wanted = ({ topics }: FetchRequest, version: number): ReadonlyArray<WantedTopic> =>
  topics.map((asked) => {
    const ref = refOf(asked, version)
    return { topic: asked.topic, topicId: asked.topicId, partitions: asked.partitions.map((each) => wantedOf(ref, each)) }
  })

/**
 * What a request of many partitions wants, each topic and partition once: of a partition that is named twice the last word counts, as in Kafka. It holds nothing of the
 * request itself, which may be a hundred times as large.
 */
export function* folded({ topics }: FetchRequest, version: number): Steps<ReadonlyArray<WantedTopic>> {
  const byTopic = new Map<string, { readonly topic: string; readonly topicId: string; readonly wanted: Map<number, Wanted> }>()
  const stride = new Stride()
  for (const asked of topics) {
    const { partitions, topic, topicId } = asked
    if (stride.takes()) yield
    if (partitions.length === 0) continue
    const key = version >= topicIdsSince ? topicId : topic
    const known = byTopic.get(key) ?? { topic, topicId, wanted: new Map<number, Wanted>() }
    byTopic.set(key, known)
    const ref = refOf(asked, version)
    for (const each of partitions) {
      known.wanted.set(each.partition, wantedOf(ref, each))
      if (stride.takes()) yield
    }
  }
  return [...byTopic.values()].map((of) => ({ topic: of.topic, topicId: of.topicId, partitions: of.wanted.values().toArray() }))
}

/** What each partition gives, in their order. */
export const walk = (topics: ReadonlyArray<WantedTopic>, pass: Pass): ReadonlyArray<TopicAnswer> =>
  topics.map(({ partitions, topic, topicId }) => ({ topic, topicId, partitions: partitions.map((each) => pass.take(each)) }))

/** Says when a walk should pause: after some looks, or some bytes. */
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
export function* walkInSlices(topics: ReadonlyArray<WantedTopic>, pass: Pass): Steps<ReadonlyArray<TopicAnswer>> {
  const strides = new Strides(pass)
  const answers: Array<TopicAnswer> = []
  for (const { partitions, topic, topicId } of topics) {
    const taken: Array<PartitionAnswer> = []
    for (const each of partitions) {
      taken.push(pass.take(each))
      if (strides.isPauseDue) yield
    }
    answers.push({ topic, topicId, partitions: taken })
    if (strides.isPauseDue) yield
  }
  return answers
}

/** Partitions that are still looked at when an answer is full: their errors need not wait, and what waits comes first in the next. */
const looksPastFullMax = 1000

/** The answers of the first of these partitions, as many as are looked at before the answer is full. */
export const walkDue = (due: ReadonlyArray<SessionPartition>, pass: Pass): ReadonlyArray<PartitionAnswer> => {
  const answers: Array<PartitionAnswer> = []
  let past = 0
  for (const partition of due) {
    if (pass.isFull && past++ >= looksPastFullMax) break
    answers.push(pass.take(partition))
  }
  return answers
}

/** As `walkDue`, with pauses. */
export function* walkDueInSlices(due: ReadonlyArray<SessionPartition>, pass: Pass): Steps<ReadonlyArray<PartitionAnswer>> {
  const strides = new Strides(pass)
  const answers: Array<PartitionAnswer> = []
  let past = 0
  for (const partition of due) {
    if (pass.isFull && past++ >= looksPastFullMax) break
    answers.push(pass.take(partition))
    if (strides.isPauseDue) yield
  }
  return answers
}
