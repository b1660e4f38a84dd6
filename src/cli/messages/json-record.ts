import { Either } from "effect"
import type { ConsumedRecord } from "../../client/consumer/fetch/record.ts"
import type { Message, MessageHeader } from "../../client/producer/producer.ts"

/** Keeps a byte order mark, which is a part of the value. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

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
export const recordJson = (record: ConsumedRecord): string =>
  JSON.stringify({
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    ...textOrBase64("key", record.key),
    ...textOrBase64("value", record.value),
    headers: record.headers.map(({ key, value }) => ({ key, ...textOrBase64("value", value) }))
  })

type Fields = Readonly<Record<string, unknown>>
type Bytes = string | Uint8Array | null

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value)
/** A value of the input in a message about it, in at most 40 characters. */
const shown = (value: unknown): string => {
  const text = JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)

/** Reads `NAME` or `NAMEBase64`; undefined where the object has neither. */
const bytesOf = (of: Fields, name: string): Either.Either<Bytes | undefined, string> => {
  const text = of[name]
  const base64 = of[`${name}Base64`]
  if (text !== undefined && base64 !== undefined) return Either.left(`it has both ${name} and ${name}Base64.`)
  if (base64 !== undefined) {
    return typeof base64 === "string" && isBase64(base64)
      ? Either.right(Buffer.from(base64, "base64"))
      : Either.left(`${name}Base64 is ${shown(base64)}: expected base64 text.`)
  }
  if (text === undefined || text === null || typeof text === "string") return Either.right(text)
  return Either.left(`${name} is ${shown(text)}: expected text or null. JSON within a message is text: {"${name}":"{\\"cents\\":42}"}.`)
}

const unknownField = (of: Fields, known: ReadonlySet<string>): string | undefined => Object.keys(of).find((name) => !known.has(name))

const headerFields: ReadonlySet<string> = new Set(["key", "value", "valueBase64"])
const headerWords = '{"key":"trace","value":"7f"}, with null or "valueBase64" in place of the text'
const headerOf = (header: unknown): Either.Either<MessageHeader, string> => {
  if (!isFields(header) || typeof header.key !== "string" || unknownField(header, headerFields) !== undefined)
    return Either.left(`a header is ${shown(header)}: expected ${headerWords}.`)
  const { key } = header
  return Either.flatMap(bytesOf(header, "value"), (value) =>
    value === undefined ? Either.left(`the header ${shown(key)} has no value: expected ${headerWords}.`) : Either.right({ key, value })
  )
}
const headersOf = (headers: unknown): Either.Either<ReadonlyArray<MessageHeader>, string> => {
  if (headers === undefined) return Either.right([])
  return Array.isArray(headers) ? Either.all(headers.map(headerOf)) : Either.left(`headers is ${shown(headers)}: expected a list of ${headerWords}.`)
}

const wholeOf = (of: Fields, name: string, least: number): Either.Either<number | undefined, string> => {
  const value = of[name]
  if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value) && value >= least)) return Either.right(value)
  return Either.left(`${name} is ${shown(value)}: expected a whole number.`)
}

const recordFields: ReadonlySet<string> = new Set(["topic", "partition", "offset", "timestamp", "key", "keyBase64", "value", "valueBase64", "headers"])

const fieldsOf = (line: Uint8Array): Either.Either<Fields, string> => {
  let parsed: unknown
  try {
    parsed = JSON.parse(strict.decode(line))
  } catch (cause) {
    return Either.left(`no JSON: ${(cause as Error).message}. --json reads one object a line, e.g. {"key":"k","value":"v"}.`)
  }
  if (!isFields(parsed)) return Either.left(`${shown(parsed)} is no object. --json reads one object a line, e.g. {"key":"k","value":"v"}.`)
  const unknown = unknownField(parsed, recordFields)
  return unknown === undefined
    ? Either.right(parsed)
    : Either.left(`there is no field ${shown(unknown)} in a message. Its fields are ${[...recordFields].join(", ")}.`)
}

/**
 * Reads a message from a line as `recordJson` writes it, or says what is wrong. `value` or `valueBase64` must be there:
 * null is a tombstone. The message has the partition and the timestamp that the line names (-1: none); its topic and
 * its offset are those of another log, and are passed over.
 */
export const jsonMessage = (line: Uint8Array): Either.Either<Message & { readonly headers: ReadonlyArray<MessageHeader> }, string> =>
  Either.gen(function* () {
    const fields = yield* fieldsOf(line)
    const value = yield* bytesOf(fields, "value")
    if (value === undefined) return yield* Either.left('it has no value. A tombstone is {"key":"k","value":null}.')
    const key = yield* bytesOf(fields, "key")
    const partition = yield* wholeOf(fields, "partition", 0)
    const timestamp = yield* wholeOf(fields, "timestamp", -1)
    const headers = yield* headersOf(fields.headers)
    return {
      value,
      key: key ?? null,
      headers,
      ...(partition === undefined ? {} : { partition }),
      ...(timestamp === undefined || timestamp < 0 ? {} : { timestamp })
    }
  })
