import { Effect, Exit } from "effect"
import type { StartAt } from "../cluster/start-offsets.ts"
import type { ConsumerEvent } from "../consumer/events.ts"
import type { ConsumedRecord } from "../consumer/fetch/record.ts"
import type { JoinOptions as EffectJoinOptions } from "../consumer/options.ts"
import type { OnAssigned as EffectOnAssigned } from "../consumer/partition-work.ts"
import type { RunOptions as EffectRunOptions } from "../consumer/run/options.ts"
import type { ConsumerService } from "../consumer/service.ts"
import { Closed } from "../error.ts"
import { type CallbackContext, effectOf, type OnAssigned, onAssignedOf, withField } from "./callbacks.ts"
import { type Calls, checkedSignal } from "./calls.ts"
import { EventIterator } from "./event-iterator.ts"
import { type Promised, promised } from "./promised.ts"

export interface JoinOptions extends Omit<EffectJoinOptions, "onAssigned"> {
  /** See `OnAssigned`. A failure is logged, and the partition is read all the same. */
  readonly onAssigned?: OnAssigned
}
export interface RunOptions extends Omit<EffectRunOptions, "onAssigned"> {
  /** See `OnAssigned`. A failure ends `run`. */
  readonly onAssigned?: OnAssigned
  /** Its abort stops `run`, which then resolves when the handlers that have begun are done and committed. */
  readonly signal?: AbortSignal
}
/** Handles a message. When the promise resolves, the message is processed. */
export type Handler = (record: ConsumedRecord, context: CallbackContext) => unknown

type OwnCalls = "events" | "joinConsumerGroup" | "run" | "seek"
/** Reads messages. Each call rejects with InvalidArgument for arguments that it cannot use. */
export interface Consumer extends Promised<Omit<ConsumerService, OwnCalls>>, AsyncDisposable {
  /**
   * Joins the group. From the first `subscribe` on it shares the partitions of the topics with the other members.
   * WrongState when it is in a group already.
   */
  readonly joinConsumerGroup: (group: string, options?: JoinOptions) => Promise<void>
  /**
   * Calls the handler for each message, until a handler fails, the signal aborts, or the consumer closes. At least once:
   * a message whose handler has not succeeded is not committed, and the partition's next member gets it again. Offsets
   * are committed every `commitIntervalMs`, before partitions are given away, and at the end. Rejects with the first
   * error of a handler, and as `poll` does; the error goes to `onError` as well, so that `run` need not be awaited.
   *
   *     await consumer.run(async (record) => bill(record.text), { concurrency: 8 })
   */
  readonly run: (handler: Handler, options?: RunOptions) => Promise<void>
  /**
   * The messages, one at a time. A message counts as processed when the next one is asked for, or by `acknowledge`: one
   * whose loop was left by `break` or an error is delivered again. Ends when the consumer closes.
   *
   *     for await (const record of consumer.records()) await bill(record.text)
   */
  readonly records: () => AsyncGenerator<ConsumedRecord, void, void>
  /**
   * Rebalances, lost memberships, commits and lost connections, from this call on. An iterator that is read slowly keeps
   * the last 1,024. Ends when the consumer closes.
   */
  readonly events: () => AsyncIterableIterator<ConsumerEvent>
  /**
   * Continues a partition at an offset, a time, or an end of its log. Returns false when the partition is not read at
   * present.
   */
  readonly seek: (topic: string, partition: number, at: number | StartAt) => Promise<boolean>
  /** The same consumer, whose calls reject with `signal.reason` when the signal aborts. `run` resolves then. */
  readonly withSignal: (signal: AbortSignal) => Consumer
  /**
   * Stops `run`, leaves the group and closes, within twice `closeTimeoutMs`. Commits what was processed: the messages of
   * the last `poll` are not, unless `commit` came after them, since the caller may have failed over them.
   */
  readonly close: () => Promise<void>
}

/** Delivers the messages one by one, and acknowledges each with the request for the next. */
async function* recordsOf(service: ConsumerService, calls: Calls, signal: AbortSignal | undefined): AsyncGenerator<ConsumedRecord, void, void> {
  let last: ConsumedRecord | undefined
  for (;;) {
    const next = last === undefined ? service.next : Effect.zipRight(service.acknowledge(last), service.next)
    try {
      last = await calls.call(next, signal)
    } catch (error) {
      if (calls.isClosing && error instanceof Closed) return
      throw error
    }
    if (last !== undefined) yield last
  }
}

/** The library's callback of `joinConsumerGroup` has no error: a defect is logged. */
const withoutError = (callback: OnAssigned): unknown => {
  const own = onAssignedOf(callback)
  return typeof own === "function" ? (partition: Parameters<EffectOnAssigned>[0]) => Effect.orDie(own(partition)) : own
}

const joined = (options: JoinOptions | undefined): EffectJoinOptions | undefined => withField(options, "onAssigned", withoutError)

const runOf =
  (service: ConsumerService, calls: Calls, given: AbortSignal | undefined): Consumer["run"] =>
  (handler, options) => {
    const isObject = typeof options === "object" && options !== null
    const { signal = given, ...rest }: RunOptions = isObject ? options : {}
    const handle = typeof handler === "function" ? (record: ConsumedRecord) => effectOf((context) => handler(record, context)) : handler
    const settings: EffectRunOptions<unknown> | undefined = withField(isObject ? rest : options, "onAssigned", onAssignedOf)
    return calls.loop(
      "`run`",
      Effect.suspend(() => service.run(handle, settings)),
      signal
    )
  }

export const consumerOf = (service: ConsumerService, calls: Calls, signal?: AbortSignal): Consumer => {
  const close = () => calls.close(Exit.fail("closed"))
  return {
    ...promised(service, calls, signal, "events", "joinConsumerGroup", "run", "seek"),
    joinConsumerGroup: (group, options) =>
      calls.call(
        Effect.suspend(() => service.joinConsumerGroup(group, joined(options))),
        signal
      ),
    run: runOf(service, calls, signal),
    records: () => recordsOf(service, calls, signal),
    events: () => new EventIterator(service.events, calls),
    seek: (topic, partition, at) =>
      calls.call(
        Effect.suspend(() => service.seek(topic, partition, at as StartAt)),
        signal
      ),
    withSignal: (other) => consumerOf(service, calls, checkedSignal("Consumer.withSignal", other)),
    close,
    [Symbol.asyncDispose]: close
  }
}
