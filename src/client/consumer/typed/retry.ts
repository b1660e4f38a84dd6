import { Cause, Effect, Option, Schedule } from "effect"
import { invalid } from "../../argument/guard.ts"
import type { SendError } from "../../producer/accumulator/delivery.ts"
import type { Producer } from "../../producer/producer.ts"
import { wrongRetries, wrongRetryTopic } from "../arguments.ts"
import type { ConsumedRecord } from "../fetch/record.ts"
import { effectOf, isNoEffect } from "../run/handler-result.ts"
import { originHeaders, sendAside } from "./dead-letter.ts"
import type { RetriesOptions, RetryTopicOptions } from "./options.ts"

const attemptsDefault = 3
const delayDefaultMs = 1000

/** A defect of the handler is a failure of the message, as any other: the next one may be handled. */
const withoutDefects = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.catchAllCause(effect, (cause) =>
    Cause.isInterrupted(cause) || Option.isSome(Cause.failureOption(cause)) || isNoEffect(Cause.squash(cause))
      ? Effect.failCause(cause)
      : Effect.fail(Cause.squash(cause) as E)
  )

/**
 * Wraps a handler of `run`: a message whose handling fails is handled again, in its place. The partition waits
 * meanwhile, and keeps its order; all attempts together must take less than `maxPollIntervalMs`. A defect counts as a
 * failure. Throws InvalidArgument for options that it cannot use, since it runs outside of any effect.
 *
 *     consumer.run(withRetries(bill, { attempts: 5, schedule: Schedule.exponential("100 millis"), giveUp: deadLetter("orders.dead") }))
 */
export const withRetries = <A, E, R, E2, R2>(
  handler: (message: A) => Effect.Effect<unknown, E, R>,
  options: RetriesOptions<A, E, E2, R2>
): ((message: A) => Effect.Effect<unknown, E2, R | R2>) => {
  const wrong = wrongRetries(handler, options)
  if (wrong !== undefined) throw invalid("withRetries", wrong)
  const { attempts = attemptsDefault, delayMs = delayDefaultMs, giveUp, schedule = Schedule.spaced(delayMs) } = options
  const bounded = Schedule.intersect(schedule, Schedule.recurs(attempts - 1))
  return (message) =>
    Effect.suspend(() => {
      let attempt = 0
      const once = Effect.suspend(() => {
        attempt += 1
        return effectOf(handler(message))
      })
      return withoutDefects(once).pipe(
        Effect.retry(bounded),
        Effect.catchAll((error) => giveUp(message, error, attempt))
      )
    })
}

/** What `run` needs for a retry topic. */
export interface RetryTopic {
  /** To subscribe to, beside the topics that are handled. */
  readonly topic: string
  /** The option of `run` by which a message of the retry topic waits for its time. */
  readonly dueAt: (record: ConsumedRecord) => number
  /** Wraps a handler: a message whose handling fails waits in the retry topic, and after its last attempt in the dead letter topic. */
  readonly handler: <E, R>(
    handler: (record: ConsumedRecord) => Effect.Effect<unknown, E, R>
  ) => (record: ConsumedRecord) => Effect.Effect<unknown, SendError, R | Producer>
}

/**
 * Retries without holding a partition up: a message whose handling fails is sent to a retry topic, and its partition
 * continues. All messages of the retry topic wait for the same time, so none waits behind a later one. A key loses its
 * order: later messages of it are handled before the retry. Headers count the attempts and keep the first origin
 * (`originHeaders`). Throws InvalidArgument for options that it cannot use, since it runs outside of any effect.
 *
 *     const retries = retryTopic({ topic: "orders.retry", deadLetter: "orders.dead", attempts: 5, delayMs: 30_000 })
 *     yield* consumer.subscribe("orders", retries.topic)
 *     yield* consumer.run(retries.handler(bill), { dueAt: retries.dueAt })
 */
export const retryTopic = (options: RetryTopicOptions): RetryTopic => {
  const wrong = wrongRetryTopic(options)
  if (wrong !== undefined) throw invalid("retryTopic", wrong)
  const { attempts = attemptsDefault, deadLetter, delayMs = delayDefaultMs, topic } = options
  const attemptsOf = (record: ConsumedRecord): number => {
    const before = record.topic === topic ? Number(record.headerText(originHeaders.attempts)) : 0
    return Number.isInteger(before) && before > 0 ? before + 1 : 1
  }
  return {
    topic,
    // The message was sent to the retry topic at its timestamp.
    dueAt: (record) => (record.topic === topic ? record.timestamp + delayMs : 0),
    handler: (handler) => (record) =>
      Effect.catchAll(withoutDefects(Effect.suspend(() => effectOf(handler(record)))), (error) => {
        const attempt = attemptsOf(record)
        return sendAside(attempt < attempts ? topic : deadLetter, record, error, attempt)
      })
  }
}
