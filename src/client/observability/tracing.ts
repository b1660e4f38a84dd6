import { Context, Effect, Layer, Option, Random, Tracer } from "effect"
import type { ConsumedRecord } from "../consumer/fetch/record.ts"
import { type Message, type MessageOptions, Producer, type ProducerService } from "../producer/producer.ts"
import { spanOf, traceHeader, traceParent, withTraceHeader } from "./trace-context.ts"

export interface TracingOptions {
  /**
   * The share of messages without a span around them that begin a trace, 0 to 1. Default 1; what is no number means 0.
   * Within a span its own decision counts.
   */
  readonly sample?: number
}
export interface ProcessTracingOptions extends TracingOptions {
  /** The group of the consumer, for the span. */
  readonly group?: string
}

/** Whether a span is to be made: as the parent was sampled, or by chance. */
const isSampled = (parent: Option.Option<Tracer.AnySpan>, sample: number): Effect.Effect<boolean> =>
  Option.isSome(parent) ? Effect.succeed(parent.value.sampled) : sample >= 1 ? Effect.succeed(true) : Effect.map(Random.next, (chance) => chance < sample)

const currentParent: Effect.Effect<Option.Option<Tracer.AnySpan>> = Effect.serviceOption(Tracer.ParentSpan)
const system = { "messaging.system": "kafka" }

/** Attributes of OpenTelemetry's semantic conventions for messaging. */
const sendAttributes = (topic: string, { key }: MessageOptions, value: Message["value"]) => ({
  ...system,
  "messaging.operation.type": "send",
  "messaging.operation.name": "send",
  "messaging.destination.name": topic,
  ...(typeof key === "string" ? { "messaging.kafka.message.key": key } : {}),
  ...(value === null ? { "messaging.kafka.message.tombstone": true } : { "messaging.message.body.size": sizeOf(value) })
})
const sizeOf = (value: string | Uint8Array): number => (typeof value === "string" ? new TextEncoder().encode(value).length : value.length)

/** Runs a send within a span of the producer kind. An unsampled parent is still passed on by the header. */
const inSendSpan = <A, E, R>(
  topic: string,
  sample: number,
  attributes: () => Record<string, unknown>,
  send: (header: string | undefined, span: Tracer.Span | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const parent = yield* currentParent
    if (!(yield* isSampled(parent, sample))) return yield* send(Option.isSome(parent) ? traceParent(parent.value) : undefined, undefined)
    const options = { kind: "producer" as const, attributes: attributes(), captureStackTrace: false }
    return yield* Effect.useSpan(`send ${topic}`, { ...options, ...(Option.isSome(parent) ? { parent: parent.value } : {}) }, (span) =>
      Effect.tapError(send(traceParent(span), span), (error) => Effect.sync(() => span.attribute("error.type", tagOf(error))))
    )
  })
const tagOf = (error: unknown): string => (typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "_OTHER")
/** What is no text is refused by the producer itself. */
const isTopic = (topic: unknown): topic is string => typeof topic === "string"
const withHeader = <M extends MessageOptions>(message: M, header: string | undefined): M =>
  header === undefined || typeof message !== "object" || message === null ? message : { ...message, headers: withTraceHeader(message.headers, header) }

/**
 * Returns a producer whose `sendMessage`, `sendMessages` and `sendBatch` make spans, and pass the trace on in the header
 * `traceparent` (W3C Trace Context). A batch has one span. Typed `send` stays as it is: its headers have a schema.
 */
export const tracedProducer = (producer: ProducerService, { sample = 1 }: TracingOptions = {}): ProducerService => ({
  ...producer,
  sendMessage: (topic, value, options = {}) =>
    isTopic(topic)
      ? inSendSpan(
          topic,
          sample,
          () => sendAttributes(topic, options, value),
          (header, span) =>
            Effect.tap(producer.sendMessage(topic, value, withHeader(options, header)), ({ offset, partition }) =>
              Effect.sync(() => {
                span?.attribute("messaging.destination.partition.id", String(partition))
                if (offset >= 0) span?.attribute("messaging.kafka.offset", offset)
              })
            )
        )
      : producer.sendMessage(topic, value, options),
  sendMessages: (topic, messages, settled) => inBatch(topic, messages, sample, (sent) => producer.sendMessages(topic, sent, settled)),
  sendBatch: (topic, messages) => inBatch(topic, messages, sample, (sent) => producer.sendBatch(topic, sent))
})

const inBatch = <A, E>(topic: string, messages: ReadonlyArray<Message>, sample: number, send: (messages: ReadonlyArray<Message>) => Effect.Effect<A, E>) => {
  if (!isTopic(topic) || !Array.isArray(messages)) return send(messages)
  const attributes = () => ({
    ...system,
    "messaging.operation.type": "send",
    "messaging.operation.name": "send",
    "messaging.destination.name": topic,
    "messaging.batch.message_count": messages.length
  })
  return inSendSpan(topic, sample, attributes, (header) => send(messages.map((message) => withHeader(message, header))))
}

/** Makes the producer of a layer a traced one: `Producer.layer(options).pipe(traceProducer({ sample: 0.01 }))`. */
export const traceProducer =
  (options: TracingOptions = {}) =>
  <E, R>(layer: Layer.Layer<Producer, E, R>): Layer.Layer<Producer, E, R> =>
    Layer.map(layer, (context) => Context.make(Producer, tracedProducer(Context.get(context, Producer), options)))

/**
 * Runs the processing of a message within a span of the consumer kind, whose parent is the span of its sender. A message
 * without the header `traceparent` begins a trace by `sample`.
 */
export const traceProcessing =
  (record: ConsumedRecord, { group, sample = 1 }: ProcessTracingOptions = {}) =>
  <A, E, R>(process: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      const parent = Option.fromNullable(spanOf(record.headerText(traceHeader)))
      if (!(yield* isSampled(parent, sample))) return yield* process
      const attributes = {
        ...system,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": String(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.message.body.size": record.value?.length ?? 0,
        ...(group === undefined ? {} : { "messaging.consumer.group.name": group }),
        ...(record.value === null ? { "messaging.kafka.message.tombstone": true } : {})
      }
      const options = {
        kind: "consumer" as const,
        attributes,
        captureStackTrace: false,
        ...(Option.isSome(parent) ? { parent: parent.value } : { root: true })
      }
      return yield* Effect.withSpan(process, `process ${record.topic}`, options) as Effect.Effect<A, E, R>
    })
