import { Effect, Exit } from "effect"
import { Consumer } from "../consumer/consumer.ts"
import type { ConsumerService } from "../consumer/service.ts"
import type { TypedMessage } from "../consumer/typed/decode.ts"
import type { WorkerOptions as EffectWorkerOptions } from "../consumer/typed/options.ts"
import { worker } from "../consumer/typed/worker.ts"
import { Producer, type ProducerService } from "../producer/producer.ts"
import type { HeaderList } from "../topic/headers.ts"
import type { Topic } from "../topic/topic.ts"
import { type CallbackContext, effectOf, type OnAssigned, onAssignedOf, withField } from "./callbacks.ts"
import type { Calls } from "./calls.ts"
import type { ConsumerOptions, ProducerOptions } from "./options.ts"

/** Handles a message of a typed topic. When the promise resolves, the message is processed. */
export type WorkerHandler<K, V, H = HeaderList> = (message: TypedMessage<K, V, H>, context: CallbackContext) => unknown

export interface WorkerOptions extends Omit<EffectWorkerOptions, "onAssigned"> {
  /** See `OnAssigned`. A failure ends the worker. */
  readonly onAssigned?: OnAssigned
  /** Its abort stops the worker, which then resolves when the handlers that have begun are done and committed. */
  readonly signal?: AbortSignal
  /** How the worker reads. Default: from the oldest message. */
  readonly consumer?: ConsumerOptions
  /** How the worker sends what it puts aside. */
  readonly producer?: ProducerOptions
}

/** A service of a worker, and how it closes. */
interface WorkerPart<S> {
  readonly service: S
  readonly calls: Calls
}

/** Runs a worker until its end, and closes its consumer and its producer. */
export const runWorker = async <K, V, H>(
  topic: Topic<K, V, H>,
  handler: WorkerHandler<K, V, H>,
  options: WorkerOptions,
  open: () => Promise<{ readonly consumer: WorkerPart<ConsumerService>; readonly producer: WorkerPart<ProducerService> }>
): Promise<void> => {
  const isObject = typeof options === "object" && options !== null
  const { consumer: _consumer, producer: _producer, signal, ...rest }: Partial<WorkerOptions> = isObject ? options : {}
  const settings: EffectWorkerOptions<unknown> = withField(isObject ? rest : options, "onAssigned", onAssignedOf)
  const handle = typeof handler === "function" ? (message: TypedMessage<K, V, H>) => effectOf((context: CallbackContext) => handler(message, context)) : handler
  const { consumer, producer } = await open()
  try {
    const running = Effect.suspend(() => worker(topic, handle, settings)).pipe(
      Effect.provideService(Consumer, consumer.service),
      Effect.provideService(Producer, producer.service)
    )
    await consumer.calls.loop("worker", running, signal)
  } finally {
    await consumer.calls.close(Exit.fail("closed"))
    await producer.calls.close()
  }
}
