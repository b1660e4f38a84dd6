import { Clock, Effect } from "effect"
import { printable } from "../../../../domain/kernel/printable.ts"
import { faultOf } from "../../argument/guard.ts"
import type { SendError, Sent } from "../../producer/accumulator/delivery.ts"
import { Producer } from "../../producer/producer.ts"
import { wrongTopicName } from "../../topic/arguments.ts"
import type { MessageHeader } from "../../topic/headers.ts"
import { wrongMessageToRead } from "../arguments.ts"
import type { ConsumedRecord } from "../fetch/record.ts"

/** Characters of a reason in a header, at most. */
const reasonCharactersMax = 1000

/** The headers that say where a message was read and why it was put aside. Values are texts. */
export const originHeaders = {
  topic: "origin.topic",
  partition: "origin.partition",
  offset: "origin.offset",
  /** ms since 1970. */
  timestamp: "origin.timestamp",
  /** The tag or the name of the error. */
  error: "failure.error",
  reason: "failure.reason",
  /** ms since 1970. */
  failedAt: "failure.at",
  /** How many times the message was handled. */
  attempts: "failure.attempts"
} as const

/** A lone surrogate has no UTF-8 form, and a header with one would be refused. */
const textOf = (value: unknown): string => String(value).slice(0, reasonCharactersMax).toWellFormed()
const nameOf = (error: unknown): string => {
  if (typeof error === "object" && error !== null) {
    if ("_tag" in error) return textOf(error._tag)
    if (error instanceof Error) return textOf(error.name)
  }
  return typeof error
}
const reasonOf = (error: unknown): string => {
  // A tagged error without a message of its own says what failed by its fields.
  if (error instanceof Error && (error.message !== "" || !("_tag" in error))) return textOf(error.message)
  if (typeof error !== "object") return textOf(error)
  try {
    return textOf(JSON.stringify(error))
  } catch {
    return "it cannot be written as text"
  }
}

/**
 * The headers of a message that is put aside: its own, and where it came from. A message that was put aside before
 * keeps its first origin.
 */
const headersWithOrigin = (record: ConsumedRecord, error: unknown, attempts: number, now: number): ReadonlyArray<MessageHeader> => {
  const { offset, partition, timestamp, topic } = record
  const failure: ReadonlyArray<string> = [originHeaders.error, originHeaders.reason, originHeaders.failedAt, originHeaders.attempts]
  const own = record.headers.filter(({ key }) => !failure.includes(key))
  const origin =
    record.headerText(originHeaders.topic) === undefined
      ? [
          { key: originHeaders.topic, value: topic },
          { key: originHeaders.partition, value: `${partition}` },
          { key: originHeaders.offset, value: `${offset}` },
          { key: originHeaders.timestamp, value: `${timestamp}` }
        ]
      : []
  return [
    ...own,
    ...origin,
    { key: originHeaders.error, value: nameOf(error) },
    { key: originHeaders.reason, value: reasonOf(error) },
    { key: originHeaders.failedAt, value: `${now}` },
    { key: originHeaders.attempts, value: `${attempts}` }
  ]
}

/** Characters of a reason in the log, at most. */
const loggedCharactersMax = 200
/** The line of the log for a message that was put aside: its position, the error, and where the message is. */
const lineOf = (record: ConsumedRecord, error: unknown, attempts: number, sent: Sent): string => {
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`
  const reason = printable(`${nameOf(error)}: ${reasonOf(error)}`.slice(0, loggedCharactersMax))
  return `${record.topic}-${record.partition}@${record.offset} was put aside to ${sent.topic}-${sent.partition}@${sent.offset} after ${tries}: ${reason}`
}

/** Sends a message that cannot be handled to another topic. `attempts` is how many times it was handled, by default 1. */
export type DeadLetter = (record: ConsumedRecord, error: unknown, attempts?: number) => Effect.Effect<Sent, SendError, Producer>

/**
 * Returns a function that sends a message to a dead letter topic with the Producer of the context: its key, value and
 * headers as they were read, followed by headers that say where it came from and why (`originHeaders`). It succeeds
 * when the message is stored, so that nothing is lost when it is acknowledged after that, and logs a line that says
 * what went where and why. It is a function for
 * `onUndecodable`, and for `Effect.catchAll` of a handler. The topic should exist.
 *
 *     records(orders, { group: "billing", onUndecodable: deadLetter("orders.dead") })
 */
export const deadLetter =
  (topic: string): DeadLetter =>
  (record, error, attempts = 1) =>
    sendAside(topic, record, error, attempts)

/** As `deadLetter`, after so many attempts. */
export const sendAside = (topic: string, record: ConsumedRecord, error: unknown, attempts: number): Effect.Effect<Sent, SendError, Producer> =>
  Effect.gen(function* () {
    const fault = faultOf("deadLetter", () => wrongTopicName(topic) ?? wrongMessageToRead(record))
    if (fault !== undefined) return yield* fault
    const producer = yield* Producer
    const { key, value } = record
    const headers = headersWithOrigin(record, error, attempts, yield* Clock.currentTimeMillis)
    const sent = yield* producer.sendMessage(topic, value, { key, headers })
    yield* Effect.logWarning(lineOf(record, error, attempts, sent))
    return sent
  })
