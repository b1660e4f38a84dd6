import { Effect, type Scope } from "effect"
import {
  Admin,
  type ConnectionOptions,
  type ConsumedRecord,
  Consumer,
  type ConsumerOptions,
  type ConsumerService,
  Producer
} from "../../../../src/programs/library.ts"

/** Where a case works: at our cluster, or at a listener of Apache Kafka. */
export interface Site {
  readonly connection: ConnectionOptions
  /** A name of this case alone, for a topic or a group. */
  readonly named: (word: string) => string
}

/** What a user of the library relies on, wherever it is connected. It throws where that is not so. */
export interface Case {
  readonly name: string
  readonly run: (site: Site) => Effect.Effect<unknown, unknown, Scope.Scope>
}

export const producerOf = ({ connection }: Site) => Producer.make(connection)
export const adminOf = ({ connection }: Site) => Admin.make(connection)
export const consumerOf = ({ connection }: Site, options: Partial<ConsumerOptions> = {}) =>
  Consumer.make({ ...connection, from: "earliest", fetchWaitMs: 100, ...options })

/** Creates a topic with an own name. */
export const topicOf = (site: Site, partitions = 1, configs: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const admin = yield* adminOf(site)
    const topic = site.named("topic")
    yield* admin.addTopic(topic, { partitions, configs })
    return topic
  })

/** Reads the partition from its start, without a group. */
export const readerOf = (site: Site, topic: string, options: Partial<ConsumerOptions> = {}) =>
  Effect.tap(consumerOf(site, options), (consumer) => consumer.assign([{ topic, partition: 0, at: "earliest" }]))

/** Joins a group of the case, and subscribes. */
export const memberOf = (
  site: Site,
  topic: string,
  options: Parameters<ConsumerService["joinConsumerGroup"]>[1] = {},
  reading: Partial<ConsumerOptions> = {}
) =>
  Effect.tap(consumerOf(site, reading), (consumer) =>
    Effect.andThen(consumer.joinConsumerGroup(site.named("group"), { heartbeatIntervalMs: 100, ...options }), consumer.subscribe(topic))
  )

/** Polls until so many messages came. The test's own timeout is the bound. */
export const polled = (consumer: ConsumerService, count: number): Effect.Effect<Array<ConsumedRecord>, unknown> =>
  Effect.gen(function* () {
    const got: Array<ConsumedRecord> = []
    while (got.length < count) got.push(...(yield* consumer.poll()))
    return got
  })
export const textsOf = (records: ReadonlyArray<ConsumedRecord>): ReadonlyArray<string> => records.map(({ text }) => text)
export const numbered = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `message ${at}`)

/** Waits until it is so. The test's own timeout is the bound. */
export const until = (isSo: () => boolean): Effect.Effect<void> => Effect.asVoid(Effect.repeat(Effect.sleep(20), { until: isSo }))
/** The tag of the error of an effect that must fail. */
export const failureOf = <A, R>(effect: Effect.Effect<A, { readonly _tag: string; readonly message: string }, R>) => Effect.flip(effect)
