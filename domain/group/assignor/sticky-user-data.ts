import type { TopicPartitions } from "./assignor.ts"

/**
 * The user data of a member under the sticky assignor: the partitions that it owned, and in which generation (null:
 * clients before Kafka 2.3 do not have it).
 */
interface StickyUserData {
  readonly previous: ReadonlyArray<TopicPartitions>
  readonly generation: number | null
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * The bytes that Java's StickyAssignor writes (its schema version 1): an array of { topic: string with an int16 length,
 * partitions: array of int32 }, then the generation as int32. Without a generation, version 0: the same without the
 * last field.
 */
export const encodeStickyUserData = ({ previous, generation }: StickyUserData): Uint8Array => {
  const topics = previous.map(({ topic, partitions }) => ({ name: encoder.encode(topic), partitions }))
  const size = topics.reduce((sum, { name, partitions }) => sum + 2 + name.length + 4 + 4 * partitions.length, 4) + (generation === null ? 0 : 4)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, topics.length)
  let at = 4
  for (const { name, partitions } of topics) {
    view.setInt16(at, name.length)
    bytes.set(name, at + 2)
    at += 2 + name.length
    view.setInt32(at, partitions.length)
    at += 4
    for (const partition of partitions) {
      view.setInt32(at, partition)
      at += 4
    }
  }
  if (generation !== null) view.setInt32(at, generation)
  return bytes
}

const readTopics = (bytes: Uint8Array, view: DataView): { readonly previous: ReadonlyArray<TopicPartitions>; readonly end: number } | null => {
  if (bytes.length < 4) return null
  const count = view.getInt32(0)
  let at = 4
  // A topic has six bytes at least and a partition four: a count that does not fit into the remaining bytes is wrong,
  // and no memory is allocated for it.
  if (count < 0 || count > (bytes.length - at) / 6) return null
  const previous: Array<TopicPartitions> = []
  for (let i = 0; i < count; i++) {
    if (at + 2 > bytes.length) return null
    const length = view.getInt16(at)
    at += 2
    if (length < 0 || at + length + 4 > bytes.length) return null
    const topic = text(bytes.subarray(at, at + length))
    at += length
    const partitionCount = view.getInt32(at)
    at += 4
    if (topic === null || partitionCount < 0 || partitionCount > (bytes.length - at) / 4) return null
    const partitions = Array.from({ length: partitionCount }, (_, p) => view.getInt32(at + 4 * p))
    at += 4 * partitionCount
    previous.push({ topic, partitions })
  }
  return { previous, end: at }
}

const text = (bytes: Uint8Array): string | null => {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}

/**
 * Reads version 1, or version 0 where the bytes end before a generation. Null for bytes of another form: the member
 * counts as a new one then.
 */
export const decodeStickyUserData = (bytes: Uint8Array): StickyUserData | null => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const read = readTopics(bytes, view)
  if (read === null) return null
  return { previous: read.previous, generation: read.end + 4 <= bytes.length ? view.getInt32(read.end) : null }
}
