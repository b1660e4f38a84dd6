import { Effect, Either, Struct } from "effect"
import { faultOf } from "../../argument/guard.ts"
import type { InvalidArgument } from "../../error.ts"
import type { SendError } from "../../producer/accumulator/delivery.ts"
import type { Producer } from "../../producer/producer.ts"
import type { HeaderList } from "../../topic/headers.ts"
import type { Topic } from "../../topic/topic.ts"
import { wrongWorker } from "../arguments.ts"
import { Consumer } from "../consumer.ts"
import type { JoinError, RunError, SubscribeError } from "../errors.ts"
import type { ConsumedRecord } from "../fetch/record.ts"
import type { RunOptions, WithoutScope } from "../run/options.ts"
import { deadLetter } from "./dead-letter.ts"
import { decodedBy, type TypedMessage } from "./decode.ts"
import type { WorkerOptions } from "./options.ts"
import { retryTopic, withRetries } from "./retry.ts"

/**
 * Handles the messages of a typed topic as a member of a group, with the Consumer and the Producer of the context, until
 * the caller interrupts it. At least once: a message is committed when its handler has succeeded, or when it is stored
 * in the dead letter topic (see `deadLetter` for its headers). See `Consumer.run` for the order, the bounds and the end.
 * Fails where the consumer cannot read, or a message cannot be put aside.
 *
 *     worker(orders, ({ value }) => bill(value), { group: "billing", deadLetter: "orders.dead", concurrency: 8 })
 */
export const worker = <K, V, E, R, H = HeaderList, E2 = never, R2 = never>(
  topic: Topic<K, V, H>,
  handler: (message: TypedMessage<K, V, H>) => Effect.Effect<unknown, E, R>,
  options: WorkerOptions<E2, R2>
): Effect.Effect<never, InvalidArgument | JoinError | SubscribeError | RunError | SendError | E2, Consumer | Producer | R | WithoutScope<R2>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fault = faultOf("worker", () => wrongWorker(topic, handler, options))
      if (fault !== undefined) return yield* fault
      const { deadLetter: deadTopic, group, retries = {} } = options
      const consumer = yield* Consumer
      const putAside = deadLetter(deadTopic)
      const waiting = retries.topic === undefined ? undefined : retryTopic({ ...retries, topic: retries.topic, deadLetter: deadTopic })
      const retried =
        waiting === undefined
          ? withRetries(handler, { ...Struct.pick(retries, "attempts", "delayMs"), giveUp: ({ record }, error, tries) => putAside(record, error, tries) })
          : (message: TypedMessage<K, V, H>) => waiting.handler(() => handler(message))(message.record)
      const handle = (record: ConsumedRecord): Effect.Effect<unknown, SendError, R | Producer> =>
        Either.match(decodedBy(topic, record), { onLeft: (error) => putAside(record, error), onRight: retried })
      const membership = Struct.omit(options, "group", "deadLetter", "retries", "concurrency", "perPartition", "onAssigned")
      const member = Effect.andThen(
        consumer.joinConsumerGroup(group, membership),
        consumer.subscribe(topic.name, ...(waiting === undefined ? [] : [waiting.topic]))
      )
      yield* Effect.acquireRelease(member, () => consumer.leaveConsumerGroup)
      const running = Struct.pick(options, "concurrency", "perPartition", "onAssigned") as RunOptions<E2, R2>
      return yield* consumer.run(handle, { ...running, ...(waiting === undefined ? {} : { dueAt: waiting.dueAt }) })
    })
  )
