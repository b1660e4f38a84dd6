import { codecs } from "../../../domain/log/codec.ts"
import {
  aFunction,
  bytesMax,
  durationMs,
  type Fields,
  fields,
  first,
  isPlain,
  name,
  oneOf,
  optional,
  timeoutMs,
  type Wrong,
  whole,
  yesOrNo
} from "../argument/check.ts"
import { connectionFields } from "../argument/connection.ts"
import type { ProducerOptions } from "./options.ts"

const producerFields: Fields<ProducerOptions> = {
  ...connectionFields,
  acks: optional(oneOf("all", 0, 1)),
  idempotent: optional(yesOrNo),
  compression: optional(oneOf(...codecs)),
  lingerMs: optional(durationMs),
  batchBytesMax: optional(bytesMax),
  messageBytesMax: optional(bytesMax),
  bufferBytesMax: optional(whole(1, Number.MAX_SAFE_INTEGER, "bytes")),
  waitingBytesMax: optional(whole(1, Number.MAX_SAFE_INTEGER, "bytes")),
  bufferTimeoutMs: optional(durationMs),
  deliveryTimeoutMs: optional(timeoutMs),
  inFlightRequestsMax: optional(whole(1, 5)),
  createTopics: optional(yesOrNo),
  partitioner: optional(aFunction)
}
const producer = fields(producerFields)

/** Settings that contradict each other. Kafka's producer refuses the same. */
const contradiction = ({ acks = "all", deliveryTimeoutMs, idempotent, lingerMs = 0, requestTimeoutMs }: ProducerOptions): Wrong | undefined => {
  if (idempotent === true && acks !== "all") return { field: "options.acks", given: acks, allowed: '"all" for an idempotent producer' }
  const least = (requestTimeoutMs ?? 1) + lingerMs
  if (deliveryTimeoutMs !== undefined && deliveryTimeoutMs < least)
    return { field: "options.deliveryTimeoutMs", given: deliveryTimeoutMs, allowed: `at least requestTimeoutMs + lingerMs, which is ${least}` }
  return undefined
}
export const wrongProducer = (options: unknown): Wrong | undefined => producer(options, "options") ?? contradiction(options as ProducerOptions)

const bytesWords = "a string, a Uint8Array or null"
/** A Uint8Array of this or another realm (a worker, a vm context). */
const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array || (ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]")

/** A key, a value or a header's value. Plain code: it runs for every message. */
const wrongBytes = (value: unknown, field: string): Wrong | undefined => {
  if (value === null) return undefined
  if (typeof value === "string")
    return value.isWellFormed() ? undefined : { field, given: value, allowed: "text without lone surrogates, which UTF-8 cannot hold" }
  if (!isBytes(value)) return { field, given: value, allowed: bytesWords }
  // A detached buffer has lost its bytes: it would be stored as an empty value.
  return value.length === 0 && value.buffer instanceof ArrayBuffer && value.buffer.detached
    ? { field, given: value, allowed: "a Uint8Array whose buffer is not detached" }
    : undefined
}

const headersWords = "a list of { key, value } or an object of strings, Uint8Arrays and nulls"
const wrongHeaders = (headers: unknown): Wrong | undefined => {
  if (Array.isArray(headers)) {
    for (let at = 0; at < headers.length; at++) {
      const header: unknown = headers[at]
      if (typeof header !== "object" || header === null) return { field: `headers[${at}]`, given: header, allowed: "{ key, value }" }
      const { key, value } = header as { readonly key?: unknown; readonly value?: unknown }
      if (typeof key !== "string" || !key.isWellFormed()) return { field: `headers[${at}].key`, given: key, allowed: "text without lone surrogates" }
      const wrong = wrongBytes(value, `headers[${at}].value`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }
  if (!isPlain(headers)) return { field: "headers", given: headers, allowed: headersWords }
  for (const key of Object.keys(headers)) {
    const field = `headers[${JSON.stringify(key.slice(0, 64))}]`
    if (!key.isWellFormed()) return { field, given: key, allowed: "a name without lone surrogates" }
    const wrong = wrongBytes(headers[key], field)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const isInt = (value: unknown, most: number): boolean => typeof value === "number" && value >= 0 && value <= most && Number.isInteger(value)

/** Checks a message. Plain code, field by field: it runs for every message. */
export const wrongMessage = (topic: unknown, value: unknown, options: unknown): Wrong | undefined => {
  // The caller checks the name of a topic that is not in the metadata.
  if (typeof topic !== "string") return name(topic, "topic")
  const wrong = wrongBytes(value, "value")
  if (wrong !== undefined) return wrong
  if (typeof options !== "object" || options === null || Array.isArray(options)) return { field: "options", given: options, allowed: "an object" }
  for (const field in options) {
    const given: unknown = (options as Readonly<Record<string, unknown>>)[field]
    if (given === undefined) {
      if (isMessageField(field)) continue
      return unknownField(field, given)
    }
    let fault: Wrong | undefined
    switch (field) {
      case "key":
        fault = wrongBytes(given, "key")
        break
      case "partition":
        if (!isInt(given, 0x7fff_ffff)) fault = { field, given, allowed: "a whole number from 0" }
        break
      case "timestamp":
        if (!isInt(given, Number.MAX_SAFE_INTEGER)) fault = { field, given, allowed: "a whole number of ms since 1970 (date.getTime())" }
        break
      case "headers":
        fault = wrongHeaders(given)
        break
      case "value":
        break
      default:
        fault = unknownField(field, given)
    }
    if (fault !== undefined) return fault
  }
  return undefined
}
const messageFields = ["key", "partition", "headers", "timestamp", "value"]
const isMessageField = (field: string): boolean => messageFields.includes(field)
const unknownField = (field: string, given: unknown): Wrong => ({
  field: `options.${field.slice(0, 64)}`,
  given,
  allowed: "the fields key, partition, headers and timestamp"
})

const anyMessages = (value: unknown, field: string): Wrong | undefined =>
  Array.isArray(value) ? undefined : { field, given: value, allowed: "a list of messages" }
/** The messages themselves are checked one by one when they are sent. */
export const wrongBatch = (topic: unknown, messages: unknown): Wrong | undefined => first(name(topic, "topic"), anyMessages(messages, "messages"))
export const wrongMessages = (topic: unknown, messages: unknown, settled: unknown): Wrong | undefined =>
  wrongBatch(topic, messages) ?? aFunction(settled, "settled")
