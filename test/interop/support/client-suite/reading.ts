import { expect } from "bun:test"
import { Effect, Either, Stream } from "effect"
import { diagnose } from "../../../../src/programs/library.ts"
import { adminOf, type Case, consumerOf, failureOf, numbered, polled, producerOf, readerOf, textsOf, topicOf, until } from "./site.ts"

/** The messages have times of long ago: without this setting the cluster deletes them when it next looks for old ones. */
const kept = { "retention.ms": "-1" }
const ten = numbered(10).map((value, at) => ({ value, partition: 0, timestamp: 1_000_000 + at * 1000 }))

export const reading: ReadonlyArray<Case> = [
  {
    name: "offsets by time, positions, lag and seek",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 1, kept)
        const producer = yield* producerOf(site)
        yield* producer.sendBatch(topic, ten)
        const consumer = yield* consumerOf(site)
        const at = (start: "earliest" | "latest" | { readonly timestamp: number }) => ({ topic, partition: 0, at: start })
        const offsets = yield* Effect.forEach([at("earliest"), at("latest"), at({ timestamp: 1_004_500 })], (place) => consumer.offsets([place]))
        expect(offsets.map(([one]) => one?.offset)).toEqual([0, 10, 5])
        // One of the two would have the offset of the other.
        expect((yield* failureOf(consumer.offsets([at("earliest"), at("latest")])))._tag).toBe("InvalidArgument")
        yield* consumer.assign([at({ timestamp: 1_007_000 })])
        expect(textsOf(yield* polled(consumer, 3))).toEqual(["message 7", "message 8", "message 9"])
        expect(yield* consumer.seek(topic, 0, 4)).toBe(true)
        expect((yield* consumer.poll({ maxRecords: 2, timeoutMs: 10_000 })).map(({ offset }) => offset)).toEqual([4, 5])
        expect(yield* consumer.positions).toEqual([{ topic, partition: 0, offset: 6 }])
        expect(yield* consumer.lag).toEqual([{ topic, partition: 0, offset: 6, end: 10, lag: 4 }])
        expect(yield* consumer.seek(topic, 0, "latest")).toBe(true)
        yield* producer.sendMessage(topic, "new")
        expect(textsOf(yield* polled(consumer, 1))).toEqual(["new"])
      })
  },
  {
    name: "a paused partition delivers nothing until it is resumed",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 2)
        const producer = yield* producerOf(site)
        for (const partition of [0, 1]) yield* producer.sendMessage(topic, `in ${partition}`, { partition })
        const consumer = yield* consumerOf(site)
        yield* consumer.pause({ topic, partition: 1 })
        yield* consumer.assign([0, 1].map((partition) => ({ topic, partition, at: "earliest" as const })))
        expect(textsOf(yield* polled(consumer, 1))).toEqual(["in 0"])
        expect(yield* consumer.poll({ timeoutMs: 200 })).toEqual([])
        yield* consumer.resume({ topic, partition: 1 })
        expect(textsOf(yield* polled(consumer, 1))).toEqual(["in 1"])
      })
  },
  {
    name: "deleted records are passed, as `from` says, and an event tells it",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site, 1, kept)
        const producer = yield* producerOf(site)
        yield* producer.sendBatch(topic, ten)
        const admin = yield* adminOf(site)
        const [{ result } = { result: Either.left(undefined) }] = yield* admin.deleteRecords([{ topic, partition: 0, before: 6 }])
        expect(Either.getOrThrow(result)).toEqual({ first: 6 })
        expect((yield* polled(yield* readerOf(site, topic), 4))[0]?.offset).toBe(6)
        const consumer = yield* consumerOf(site)
        const resets: Array<unknown> = []
        yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) => Effect.sync(() => event._tag === "OffsetReset" && resets.push(event))))
        yield* consumer.assign([{ topic, partition: 0, at: "earliest" }])
        yield* consumer.seek(topic, 0, 2)
        expect((yield* polled(consumer, 4))[0]?.offset).toBe(6)
        yield* until(() => resets.length > 0)
        expect(resets).toEqual([{ _tag: "OffsetReset", topic, partition: 0, offset: 2, nextOffset: 6 }])
      })
  },
  {
    name: "a response over the bound is an error that names the setting",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        const producer = yield* producerOf(site)
        yield* producer.sendMessage(topic, "x".repeat(300_000))
        const error = yield* failureOf(polled(yield* readerOf(site, topic, { responseBytesMax: 100_000 }), 1) as Effect.Effect<unknown, never>)
        expect(error).toMatchObject({ _tag: "AnswerTooLarge" })
        expect((error as { readonly message: string }).message).toContain("responseBytesMax")
      })
  },
  {
    name: "addresses of which the first is unreachable, and a diagnosis without a problem",
    run: (site) =>
      Effect.gen(function* () {
        const own = site.connection.leader
        const connection = { ...site.connection, leader: ["127.0.0.1:1", ...(typeof own === "string" ? own.split(",") : own)] }
        const topic = yield* topicOf({ ...site, connection })
        const producer = yield* producerOf({ ...site, connection })
        expect((yield* producer.sendMessage(topic, "v")).offset).toBe(0)
        const { findings } = yield* diagnose(site.connection)
        expect(findings.filter(({ level }) => level === "problem")).toEqual([])
      })
  },
  {
    name: "calls in a state that does not allow them",
    run: (site) =>
      Effect.gen(function* () {
        const topic = yield* topicOf(site)
        const consumer = yield* consumerOf(site)
        expect((yield* failureOf(consumer.poll()))._tag).toBe("NotSubscribed")
        expect((yield* failureOf(consumer.commit))._tag).toBe("WrongState")
        expect((yield* failureOf(consumer.assign([{ topic, partition: 7, at: "earliest" }])))._tag).toBe("UnknownPartition")
        const admin = yield* adminOf(site)
        expect((yield* failureOf(admin.describeGroup(site.named("no-group"))))._tag).toBe("UnknownGroup")
        expect((yield* failureOf(admin.removeTopic(site.named("nowhere"))))._tag).toBe("UnknownTopic")
      })
  }
]
