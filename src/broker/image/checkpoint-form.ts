import { Either, Schema } from "effect"
import { ClusterSnapshot, rowOfTopic, TopicRow, topicOfRow, withoutTopics, withTopics } from "../../../domain/cluster/snapshot.ts"
import { type Cluster, sortedTopics, type Topic } from "../../../domain/cluster/state.ts"
import { decodeRows } from "../../../domain/kernel/decode-events.ts"
import { TopicId } from "../../../domain/kernel/id.ts"
import { type Steps, Stride } from "../../../domain/kernel/steps.ts"
import { parseJson } from "../../stream/json.ts"
import { UnmadeSince } from "../made-logs.ts"

/** A batch of the journal, as another history would not have it at that offset. */
export interface BatchIdentity {
  readonly baseOffset: number
  readonly leaderEpoch: number
  /** CRC-32C over its attributes, times and records. */
  readonly crc: number
}

/** The image of a broker, and the journal that it is the fold of. */
export interface ImageCheckpoint {
  readonly cluster: Cluster
  /** The batch that holds the last event of the image. */
  readonly last: BatchIdentity
  /** Topics that were removed, since the first event of the journal. */
  readonly removed: ReadonlyArray<TopicId>
  /** Logs that were not made when the checkpoint was written; undefined where that was not known. */
  readonly unmade?: UnmadeSince | undefined
}

/** The first line of the document; the others are the removed topics' ids and the topics, one a line. */
const Head = Schema.Struct({
  v: Schema.Literal(1),
  last: Schema.Struct({ baseOffset: Schema.Int, leaderEpoch: Schema.Int, crc: Schema.Int }),
  removedCount: Schema.Int.pipe(Schema.nonNegative()),
  topicCount: Schema.Int.pipe(Schema.nonNegative()),
  unmade: Schema.optional(UnmadeSince),
  cluster: ClusterSnapshot
})
const encodeHead = Schema.encodeSync(Head)
const decodeHead = Schema.decodeUnknownEither(Head)
const decodeRow = decodeRows(TopicRow)
const isTopicId = Schema.is(TopicId)

const utf8 = new TextEncoder()
const newline = 0x0a
/**
 * Characters that are encoded at a time, and after how many partitions a pause is due: some tenths of a millisecond.
 */
const charactersPerPart = 65_536
const partitionsPerStep = 128

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/**
 * Writes a checkpoint: lines of JSON in UTF-8. The image of a large cluster has 20 MB, so that it is written in steps;
 * the state is immutable, and does not change meanwhile.
 */
export function* writeCheckpoint({ cluster, last, removed, unmade }: ImageCheckpoint): Steps<Uint8Array> {
  const topics = sortedTopics(cluster)
  const head = { v: 1 as const, last, removedCount: removed.length, topicCount: topics.length, unmade, cluster: withoutTopics(cluster) }
  const parts: Array<Uint8Array> = []
  const stride = new Stride(partitionsPerStep)
  let text = `${JSON.stringify(encodeHead(head))}\n`
  const flush = (): void => {
    parts.push(utf8.encode(text))
    text = ""
  }
  for (const id of removed) {
    text += `${JSON.stringify(id)}\n`
    if (text.length >= charactersPerPart) flush()
    if (stride.takes()) yield
  }
  for (const topic of topics) {
    text += `${JSON.stringify(rowOfTopic(topic))}\n`
    if (text.length >= charactersPerPart) flush()
    if (stride.takes(1 + topic.partitions.length)) yield
  }
  flush()
  return joined(parts)
}

/** Reads a checkpoint in steps; or returns why it cannot be read: another version wrote it, or it is not whole. */
export function* readCheckpoint(bytes: Uint8Array): Steps<Either.Either<ImageCheckpoint, string>> {
  const stride = new Stride(partitionsPerStep)
  let at = 0
  const line = (): Either.Either<unknown, string> => {
    const end = bytes.indexOf(newline, at)
    if (end < 0) return Either.left(`it ends at byte ${bytes.length}, within a line`)
    const json = parseJson(bytes.subarray(at, end))
    at = end + 1
    return json
  }
  const head = Either.flatMap(line(), (json) => Either.mapLeft(decodeHead(json), ({ message }) => message))
  if (Either.isLeft(head)) return Either.left(head.left)
  const { cluster, last, removedCount, topicCount, unmade } = head.right
  const removed: Array<TopicId> = []
  while (removed.length < removedCount) {
    const id = line()
    if (Either.isLeft(id)) return Either.left(id.left)
    if (!isTopicId(id.right)) return Either.left(`entry ${removed.length} of the removed topics is no topic id`)
    removed.push(id.right)
    if (stride.takes()) yield
  }
  const topics: Array<Topic> = []
  while (topics.length < topicCount) {
    const row = Either.flatMap(line(), (json) => Either.mapLeft(decodeRow(json), ({ message }) => message))
    if (Either.isLeft(row)) return Either.left(row.left)
    topics.push(topicOfRow(row.right))
    if (stride.takes(1 + row.right.partitions.length)) yield
  }
  if (at !== bytes.length) return Either.left(`it has ${bytes.length - at} bytes too many`)
  return Either.right({ cluster: withTopics(cluster, topics), last, removed, unmade })
}
