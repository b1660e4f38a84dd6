import { Clock, Effect, Schema, type Scope, Stream } from "effect"
import { Admin } from "../../src/client/admin/admin.ts"
import { clusterEvents } from "../../src/client/consumer/cluster-events.ts"
import { Consumer } from "../../src/client/consumer/consumer.ts"
import { Producer } from "../../src/client/producer/producer.ts"
import * as Topic from "../../src/client/topic/topic.ts"
import type { Checksum } from "../../src/ports/checksum.ts"
import type { Compression } from "../../src/ports/compression.ts"
import type { Transport } from "../../src/ports/transport.ts"

export type Ports = Transport | Checksum | Compression

/** The bounds that the operations set, ms. */
export const bounds = {
  connectTimeoutMs: 1000,
  requestTimeoutMs: 2000,
  retryTimeoutMs: 5000,
  unknownTopicTimeoutMs: 1000,
  closeTimeoutMs: 2000,
  deliveryTimeoutMs: 4000,
  pollTimeoutMs: 1000,
  sessionTimeoutMs: 6000
} as const
const { deliveryTimeoutMs, pollTimeoutMs, sessionTimeoutMs, ...connectionBounds } = bounds

/** Where an operation works. */
export interface Site {
  readonly leader: string | ReadonlyArray<string>
  /** A topic with two partitions and some messages, that all operations share. */
  readonly topic: string
  /** A name that no other operation uses. */
  readonly unique: () => string
  /** Takes note of a message that a producer confirmed. */
  readonly stored: (text: string) => void
}

type Act = Effect.Effect<unknown, unknown>
/** A public call of the client. */
export interface Operation {
  readonly name: string
  /** The time after which the call has ended, whatever happens, ms. */
  readonly boundMs: number
  /** Makes the clients, and returns the call, which may be repeated. */
  readonly prepare: (site: Site) => Effect.Effect<Act, unknown, Ports | Scope.Scope>
  /** Kafka's brokers do not serve it. */
  readonly oursOnly?: boolean
}

const connection = ({ leader }: Site) => ({ leader, ...connectionBounds })
const callMs = bounds.retryTimeoutMs

type ProducerCall = (producer: Producer["Type"], site: Site) => Act
const producing = (name: string, boundMs: number, call: ProducerCall): Operation => ({
  name: `producer.${name}`,
  boundMs,
  prepare: (site) =>
    Effect.gen(function* () {
      const producer = yield* Producer.make({ ...connection(site), deliveryTimeoutMs })
      yield* producer.sendMessage(site.topic, site.unique())
      return call(producer, site)
    })
})
/** The cluster must not create the topic. */
const toUnknownTopic: Operation = {
  name: "producer.sendMessage to a topic that is not there",
  boundMs: callMs,
  prepare: (site) =>
    Effect.map(Producer.make({ ...connection(site), deliveryTimeoutMs, createTopics: false }), (producer) =>
      Effect.suspend(() => Effect.flip(producer.sendMessage(site.unique(), "v"))).pipe(Effect.filterOrFail(({ _tag }) => _tag === "UnknownTopic"))
    )
}
const typed = Topic.make("typed", { key: Schema.String, value: Schema.String })

const producerOperations: ReadonlyArray<Operation> = [
  toUnknownTopic,
  producing("sendMessage", deliveryTimeoutMs, (producer, site) =>
    Effect.suspend(() => {
      const text = site.unique()
      return Effect.tap(producer.sendMessage(site.topic, text), () => site.stored(text))
    })
  ),
  producing("send", deliveryTimeoutMs, (producer, { topic, unique }) => Effect.suspend(() => producer.send({ ...typed, name: topic }, "k", unique()))),
  producing("sendBatch", deliveryTimeoutMs, (producer, site) =>
    Effect.gen(function* () {
      const texts = [site.unique(), site.unique(), site.unique()]
      const reports = yield* producer.sendBatch(
        site.topic,
        texts.map((value) => ({ value }))
      )
      for (const [at, report] of reports.entries()) {
        if (report._tag === "Left") return yield* report.left
        site.stored(texts[at] ?? "")
      }
    })
  ),
  producing("sendMessages and flush", deliveryTimeoutMs, (producer, { topic, unique }) =>
    Effect.suspend(() =>
      Effect.andThen(
        producer.sendMessages(topic, [{ value: unique() }], () => {}),
        producer.flush
      )
    )
  ),
  producing("addTopic", callMs, (producer, { unique }) => Effect.suspend(() => producer.addTopic(unique(), { partitions: 1 })))
]

type AdminCall = (admin: Admin["Type"], site: Site) => Act
const administering = (name: string, call: AdminCall, oursOnly = false): Operation => ({
  name: `admin.${name}`,
  boundMs: callMs,
  oursOnly,
  prepare: (site) => Effect.map(Admin.make(connection(site)), (admin) => call(admin, site))
})
const expected =
  (...tags: ReadonlyArray<string>) =>
  (act: Act): Act =>
    Effect.catchIf(
      act,
      (error) => tags.includes((error as { readonly _tag: string })._tag),
      () => Effect.void
    )

const adminOperations: ReadonlyArray<Operation> = [
  administering("describeCluster", ({ describeCluster }) => describeCluster),
  administering("listTopics", ({ listTopics }) => listTopics()),
  administering("describeTopic", ({ describeTopic }, { topic }) => describeTopic(topic)),
  administering("topicConfigs", ({ topicConfigs }, { topic }) => topicConfigs(topic)),
  administering("configureTopic", ({ configureTopic }, { topic }) => configureTopic(topic, { set: { "retention.ms": "86400000" } })),
  administering("addPartitions", ({ addPartitions }, { topic }) => expected("TopicRefused")(addPartitions(topic, 2))),
  administering("addTopic and removeTopic", ({ addTopic, removeTopic }, { unique }) =>
    Effect.suspend(() => {
      const name = unique()
      return Effect.andThen(addTopic(name, { partitions: 1 }), removeTopic(name))
    })
  ),
  administering("nodeConfigs", ({ describeCluster, nodeConfigs }) => Effect.flatMap(describeCluster, ({ nodes }) => nodeConfigs(nodes[0]?.id ?? 0))),
  administering("configureNode", ({ configureNode }) => configureNode("all", { set: { "log.retention.ms": "86400000" } })),
  administering("listGroups", ({ listGroups }) => listGroups),
  administering("describeGroup", ({ describeGroup }) => expected("UnknownGroup")(describeGroup("not-there"))),
  administering("deleteGroup", ({ deleteGroup }) => expected("UnknownGroup")(deleteGroup("not-there"))),
  administering("listBrokers", ({ listBrokers }) => listBrokers),
  administering("unregisterBroker", ({ unregisterBroker }) => expected("KafkaFailure")(unregisterBroker(4711))),
  administering("describeLogDirs", ({ describeLogDirs }) => describeLogDirs),
  administering("metrics", ({ metrics }) => metrics, true)
].map((operation) =>
  // Two calls after one another have the time of two.
  operation.name.includes(" and ") || operation.name.endsWith("nodeConfigs") ? { ...operation, boundMs: 2 * callMs } : operation
)

type ConsumerCall = (consumer: Consumer["Type"], site: Site) => Act
const consuming = (name: string, boundMs: number, call: ConsumerCall): Operation => ({
  name: `consumer.${name}`,
  boundMs,
  prepare: (site) =>
    Effect.gen(function* () {
      const consumer = yield* Consumer.make(connection(site))
      yield* consumer.assign([{ topic: site.topic, partition: 0, at: "earliest" }])
      return call(consumer, site)
    })
})
const inGroup = (name: string, boundMs: number, call: ConsumerCall): Operation => ({
  name: `consumer.${name} in a group`,
  boundMs,
  prepare: (site) =>
    Effect.gen(function* () {
      const consumer = yield* Consumer.make({ ...connection(site), from: "earliest" })
      yield* consumer.joinConsumerGroup(site.unique(), { sessionTimeoutMs })
      yield* consumer.subscribe(site.topic)
      while ((yield* consumer.poll({ timeoutMs: pollTimeoutMs })).length === 0);
      return call(consumer, site)
    })
})

const consumerOperations: ReadonlyArray<Operation> = [
  consuming("assign", callMs, (consumer, { topic }) => consumer.assign([{ topic, partition: 1, at: "latest" }])),
  consuming("assign by time", callMs, (consumer, { topic }) => consumer.assign([{ topic, partition: 1, at: { timestamp: 0 } }])),
  consuming("poll", pollTimeoutMs + callMs, (consumer, { topic }) =>
    Effect.gen(function* () {
      yield* consumer.seek(topic, 0, 0)
      const until = (yield* Clock.currentTimeMillis) + callMs
      while ((yield* consumer.poll({ timeoutMs: pollTimeoutMs })).length === 0)
        if ((yield* Clock.currentTimeMillis) > until) return yield* Effect.fail({ _tag: "NothingRead" })
    })
  ),
  inGroup("poll", pollTimeoutMs + callMs, (consumer) => consumer.poll({ timeoutMs: pollTimeoutMs })),
  inGroup("commit", callMs, ({ commit }) => expected("CommitRefused")(commit)),
  inGroup("subscribe", callMs, (consumer, { topic }) => consumer.subscribe(topic)),
  inGroup("leaveConsumerGroup", callMs, ({ leaveConsumerGroup }) => leaveConsumerGroup)
]

const making = (name: string, make: (site: Site) => Effect.Effect<unknown, unknown, Ports | Scope.Scope>): Operation => ({
  name: `${name}.make, and its end`,
  boundMs: callMs + bounds.closeTimeoutMs,
  prepare: (site) =>
    Effect.gen(function* () {
      const context = yield* Effect.context<Ports>()
      return Effect.provide(Effect.scoped(make(site)), context)
    })
})

export const operations: ReadonlyArray<Operation> = [
  making("Producer", (site) => Producer.make({ ...connection(site), deliveryTimeoutMs })),
  making("Consumer", (site) => Consumer.make(connection(site))),
  making("Admin", (site) => Admin.make(connection(site))),
  { ...making("clusterEvents", (site) => Stream.runDrain(clusterEvents(connection(site)))), name: "clusterEvents", oursOnly: true, boundMs: 3 * callMs },
  ...producerOperations,
  ...adminOperations,
  ...consumerOperations
]
