import { expect } from "bun:test"
import { Effect, Either, Schema } from "effect"
import { Producer, Topic } from "../../../../src/programs/library.ts"
import { adminOf, type Case, failureOf, numbered, polled, producerOf, readerOf, textsOf, topicOf } from "./site.ts"

export const producing: ReadonlyArray<Case> = [
  {
    name: "a message keeps its key, value, timestamp, and its headers in their order, also repeated names and null",
    run: (site) =>
      Effect.gen(function* () {
        // The time of a message is of long ago: without this setting the cluster deletes it when it next looks for old ones.
        const topic = yield* topicOf(site, 1, { "retention.ms": "-1" })
        const producer = yield* producerOf(site)
        const headers = [
          { key: "b", value: "1" },
          { key: "10", value: null },
          { key: "2", value: Uint8Array.of(0, 255) },
          { key: "b", value: "" }
        ]
        const timestamp = 1_600_000_000_123
        expect(yield* producer.sendMessage(topic, Uint8Array.of(0, 1, 254), { key: Uint8Array.of(255), headers, timestamp })).toEqual({
          topic,
          partition: 0,
          offset: 0,
          timestamp
        })
        yield* producer.sendMessage(topic, null, { key: "k" })
        yield* producer.sendMessage(topic, "", { headers: { a: "b" } })
        const [whole, tombstone, empty] = yield* polled(yield* readerOf(site, topic), 3)
        expect([...(whole?.key ?? [])]).toEqual([255])
        expect([...(whole?.value ?? [])]).toEqual([0, 1, 254])
        expect(whole?.timestamp).toBe(timestamp)
        expect(whole?.headers.map(({ key, value }) => [key, value === null ? null : [...value]])).toEqual([
          ["b", [49]],
          ["10", null],
          ["2", [0, 255]],
          ["b", []]
        ])
        expect([tombstone?.value, tombstone?.keyText]).toEqual([null, "k"])
        expect([empty?.value?.length, empty?.key, empty?.headerText("a")]).toEqual([0, null, "b"])
        // A message is forwarded as it came.
        if (whole !== undefined) yield* producer.sendMessage(topic, whole.value, { key: whole.key, headers: whole.headers })
        const [, , , again] = yield* polled(yield* readerOf(site, topic), 4)
        expect(again?.headers).toEqual(whole?.headers ?? [])
      })
  },
  {
    name: "every codec",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
          const producer = yield* Producer.make({ ...site.connection, compression })
          yield* producer.sendBatch(
            topic,
            numbered(20).map((text) => ({ value: `${compression} ${text.repeat(20)}` }))
          )
        }
        const got = yield* polled(yield* readerOf(site, topic), 80)
        expect(textsOf(got)).toEqual(["gzip", "snappy", "lz4", "zstd"].flatMap((codec) => numbered(20).map((text) => `${codec} ${text.repeat(20)}`)))
      })
  },
  {
    name: "a batch has a result for each message, and a wrong one fails alone",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 2)
        const producer = yield* producerOf(site)
        const wrong = { value: 7 } as unknown as { value: string }
        const reports = yield* producer.sendBatch(topic, [{ value: "a", partition: 1 }, wrong, { value: "c", partition: 9 }, { value: "d", partition: 1 }])
        expect(
          reports.map((report) => Either.match(report, { onLeft: ({ _tag }) => _tag, onRight: ({ offset, partition }) => `${partition}@${offset}` }))
        ).toEqual(["1@0", "InvalidArgument", "UnknownPartition", "1@1"])
      })
  },
  {
    name: "batches over the topic's bound are split, and a message over it fails alone",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 1, { "max.message.bytes": "2000" })
        const producer = yield* producerOf(site)
        const values = [...numbered(40).map((text) => text.padEnd(100)), "x".repeat(3000)]
        const reports = yield* producer.sendBatch(
          topic,
          values.map((value) => ({ value }))
        )
        expect(reports.filter(Either.isRight)).toHaveLength(40)
        expect(Either.getLeft(reports[40] ?? Either.right(undefined))).toMatchObject({ value: { _tag: "MessageTooLarge", topic } })
        expect(textsOf(yield* polled(yield* readerOf(site, topic), 40)).map((text) => text.trim())).toEqual([...numbered(40)])
      })
  },
  {
    name: "the partition is the caller's, the partitioner's, or that of Kafka's hash",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 5)
        const plain = yield* producerOf(site)
        const custom = yield* Producer.make({ ...site.connection, partitioner: ({ headers, partitions }) => (headers.length > 0 ? partitions - 1 : undefined) })
        const byHash = yield* plain.sendMessage(topic, "v", { key: "customer-7" })
        expect((yield* plain.sendMessage(topic, "v", { key: "customer-7", partition: 3 })).partition).toBe(3)
        expect((yield* custom.sendMessage(topic, "v", { key: "customer-7", headers: { a: "b" } })).partition).toBe(4)
        expect((yield* custom.sendMessage(topic, "v", { key: "customer-7" })).partition).toBe(byHash.partition)
      })
  },
  {
    name: "a topic that is not there, a wrong name, and a topic that is there already",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        const producer = yield* Producer.make({ ...site.connection, createTopics: false, unknownTopicTimeoutMs: 200 })
        expect((yield* failureOf(producer.sendMessage(site.named("nowhere"), "v")))._tag).toBe("UnknownTopic")
        expect((yield* failureOf(producer.sendMessage("no topic", "v")))._tag).toBe("InvalidArgument")
        expect((yield* failureOf(producer.addTopic(topic)))._tag).toBe("TopicExists")
        const admin = yield* adminOf(site)
        expect(yield* failureOf(admin.addTopic(site.named("wide"), { replicationFactor: 9 }))).toMatchObject({
          _tag: "TopicRefused",
          error: "INVALID_REPLICATION_FACTOR"
        })
        expect(yield* failureOf(admin.configureTopic(topic, { set: { "retention.ms": "soon" } }))).toMatchObject({
          _tag: "TopicRefused",
          error: "INVALID_CONFIG"
        })
      })
  },
  {
    name: "acks of the leader and of none, and flush",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        const [one, none] = [yield* Producer.make({ ...site.connection, acks: 1 }), yield* Producer.make({ ...site.connection, acks: 0 })]
        expect((yield* one.sendMessage(topic, "one")).offset).toBe(0)
        expect((yield* none.sendMessage(topic, "none")).offset).toBe(-1)
        let reports = 0
        yield* one.sendMessages(topic, [{ value: "a" }, { value: "b" }], () => void (reports += 1))
        yield* one.flush
        expect(reports).toBe(2)
        expect([...textsOf(yield* polled(yield* readerOf(site, topic), 4))].sort()).toEqual(["a", "b", "none", "one"])
      })
  },
  {
    name: "a thousand concurrent sends are stored once and in their order",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        const producer = yield* Producer.make({ ...site.connection, batchBytesMax: 1000 })
        yield* Effect.forEach(numbered(1000), (text) => producer.sendMessage(topic, text), { concurrency: "unbounded", discard: true })
        expect(textsOf(yield* polled(yield* readerOf(site, topic), 1000))).toEqual(numbered(1000))
        const admin = yield* adminOf(site)
        const [{ result } = { result: Either.left(undefined) }] = yield* admin.describeProducers([{ topic, partition: 0 }])
        expect(Either.getOrThrow(result)).toMatchObject([{ lastSequence: 999 }])
      })
  },
  {
    name: "a typed message that its schema refuses is not stored",
    run: (site) =>
      Effect.gen(function* () {
        const orders = Topic.make(yield* topicOf(site), { key: Schema.String, value: Schema.Struct({ cents: Schema.Int }) })
        const producer = yield* producerOf(site)
        expect((yield* failureOf(producer.send(orders, "ann", { cents: 1.5 })))._tag).toBe("ParseError")
        expect((yield* producer.send(orders, "ann", { cents: 2 })).offset).toBe(0)
      })
  }
]
