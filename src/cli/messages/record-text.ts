import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"

const strict = new TextDecoder("utf-8", { fatal: true })
const newline = 10

/** Text where the bytes are UTF-8, base64 under another name where they are not, so that no byte is lost. */
const textOrBase64 = (name: string, bytes: Uint8Array | null): Record<string, string | null> => {
  if (bytes === null) return { [name]: null }
  try {
    return { [name]: strict.decode(bytes) }
  } catch {
    return { [`${name}Base64`]: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64") }
  }
}

/** A message as a line of JSON: topic, partition, offset, timestamp (ms), key, value, headers. */
const recordJson = (record: ConsumedRecord): string =>
  JSON.stringify({
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    ...textOrBase64("key", record.key),
    ...textOrBase64("value", record.value),
    headers: record.headers.map(({ key, value }) => ({ key, ...textOrBase64("value", value) }))
  })

/** Messages as lines of JSON. */
export const jsonLines = (records: ReadonlyArray<ConsumedRecord>): Uint8Array => Buffer.from(records.map((record) => `${recordJson(record)}\n`).join(""))

/** Messages as lines, byte for byte, each after its key and `separator` if there is one. All of them in one buffer. */
export const plainLines = (records: ReadonlyArray<ConsumedRecord>, separator: Uint8Array | undefined): Uint8Array => {
  let size = 0
  for (const { key, value } of records) size += (value?.length ?? 0) + 1 + (separator === undefined ? 0 : (key?.length ?? 0) + separator.length)
  const lines = new Uint8Array(size)
  let at = 0
  const put = (bytes: Uint8Array | null) => {
    if (bytes === null) return
    lines.set(bytes, at)
    at += bytes.length
  }
  for (const { key, value } of records) {
    if (separator !== undefined) {
      put(key)
      put(separator)
    }
    put(value)
    lines[at++] = newline
  }
  return lines
}
