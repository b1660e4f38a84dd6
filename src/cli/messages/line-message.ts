import { Either, Option } from "effect"
import type { Message, MessageHeader, MessageOptions } from "../../client/producer/producer.ts"
import { timeForms, timeOf } from "../shell/time.ts"
import { jsonMessage } from "./json-record.ts"

/** Makes the message of a line, or says why the line is not one. */
export type MessageOf = (line: Uint8Array) => Either.Either<Message, string>

/** The options that say how lines become messages. */
interface LineWords {
  readonly keySeparator: Option.Option<string>
  readonly key: Option.Option<string>
  readonly header: ReadonlyArray<string>
  readonly timestamp: Option.Option<string>
  readonly partition: Option.Option<number>
  /** Whether an empty key or value is null. */
  readonly nulls: boolean
  readonly json: boolean
}

const viewed = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const orNull = (bytes: Uint8Array): Uint8Array | null => (bytes.length === 0 ? null : bytes)
const itself = (bytes: Uint8Array): Uint8Array => bytes

/** Lines that are values, or keys and values. `parts` are those of all messages. */
const plainMessages = (parts: MessageOptions, separator: Buffer | undefined, nulls: boolean): MessageOf => {
  const bytes = nulls ? orNull : itself
  return (line) => {
    if (separator === undefined) return Either.right({ ...parts, value: bytes(line) })
    const at = viewed(line).indexOf(separator)
    if (at < 0) return Either.left(`no key separator '${separator}' in it.`)
    return Either.right({ ...parts, key: bytes(line.subarray(0, at)), value: bytes(line.subarray(at + separator.length)) })
  }
}

/** Lines that are JSON. `parts` replace those of the line, and the headers come after its own. */
const jsonMessages =
  ({ headers = [], ...parts }: MessageOptions & { readonly headers?: ReadonlyArray<MessageHeader> }, ignoresPartition: boolean): MessageOf =>
  (line) =>
    Either.map(jsonMessage(line), ({ headers: own, partition, ...message }) => ({
      ...message,
      ...(partition === undefined || ignoresPartition ? {} : { partition }),
      ...parts,
      headers: [...own, ...headers]
    }))

/** `NAME=VALUE`, or a name whose value is null. */
const headerOf = (text: string): Either.Either<MessageHeader, string> => {
  const at = text.indexOf("=")
  const key = at < 0 ? text : text.slice(0, at)
  return key === ""
    ? Either.left(`--header ${text}: expected NAME=VALUE, e.g. --header source=shop.`)
    : Either.right({ key, value: at < 0 ? null : text.slice(at + 1) })
}

/** Returns what makes messages of lines by the options of a command, or what is wrong with these. `nowMs` is the present. */
export const lineMessages = (words: LineWords, nowMs: number): Either.Either<MessageOf, string> =>
  Either.gen(function* () {
    const headers = yield* Either.all(words.header.map(headerOf))
    const time = Option.getOrUndefined(words.timestamp)
    const timestamp = time === undefined ? undefined : timeOf(time, nowMs)
    if (time !== undefined && timestamp === undefined) return yield* Either.left(`--timestamp ${time}: expected ${timeForms}.`)
    const key = Option.getOrUndefined(words.key)
    const partition = Option.getOrUndefined(words.partition)
    const isAny = partition === -1
    const parts = {
      ...(headers.length === 0 ? {} : { headers }),
      ...(key === undefined ? {} : { key }),
      ...(partition === undefined || isAny ? {} : { partition }),
      ...(timestamp === undefined ? {} : { timestamp })
    }
    const separator = Option.getOrUndefined(words.keySeparator)
    if (separator !== undefined && (words.json || key !== undefined))
      return yield* Either.left(`--key-separator finds the keys in lines: omit it with ${words.json ? "--json" : "--key"}.`)
    if (words.json && words.nulls) return yield* Either.left("--null is for lines without --json, where null is null.")
    if (words.json) return jsonMessages(parts, partition !== undefined)
    if (separator === "") return yield* Either.left("--key-separator: expected at least one character.")
    return plainMessages(parts, separator === undefined ? undefined : Buffer.from(separator, "utf8"), words.nulls)
  })
