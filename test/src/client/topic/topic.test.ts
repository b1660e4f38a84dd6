import { describe, expect, test } from "bun:test"
import { Effect, Either, Schema } from "effect"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { decodeRecord } from "../../../../src/client/consumer/typed/decode.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import * as Topic from "../../../../src/client/topic/topic.ts"
import { leader, withFake } from "../support.ts"

const User = Schema.Struct({ name: Schema.String })
const users = Topic.make("t", {
  key: Schema.String,
  value: User,
  tombstones: true,
  headers: Schema.Struct({ tenant: Schema.String, retries: Schema.optional(Schema.NumberFromString) })
})
const clicks = Topic.make("t", { value: Schema.Struct({ page: Schema.String }) })

/** Sends by the producer, and decodes what the consumer reads. */
const through = <K, V, H>(topic: Topic.Topic<K, V, H>, send: (producer: Producer["Type"]) => Effect.Effect<unknown, unknown>, count: number) =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("t", 1)
      yield* send(yield* Producer.make({ leader }))
      const consumer = yield* Consumer.make({ leader })
      yield* consumer.assign([{ topic: "t", partition: 0, at: "earliest" }])
      const got: Array<Either.Either<{ readonly key: K; readonly value: V; readonly headers: H }, unknown>> = []
      while (got.length < count) got.push(...(yield* consumer.poll()).map((record) => decodeRecord(topic, record)))
      return got.map(Either.map(({ headers, key, value }) => ({ headers, key, value })))
    })
  )

describe("a typed topic", () => {
  test("has tombstones where it says so, and headers by their schema", async () => {
    const got = await through(
      users,
      (producer) =>
        Effect.gen(function* () {
          yield* producer.send(users, "u1", { name: "Ann" }, { headers: { tenant: "a", retries: 3 } })
          yield* producer.send(users, "u1", null, { headers: { tenant: "a" } })
        }),
      2
    )
    expect(got).toEqual([
      Either.right({ key: "u1", value: { name: "Ann" }, headers: { tenant: "a", retries: 3 } }),
      Either.right({ key: "u1", value: null, headers: { tenant: "a" } })
    ])
  })

  test("a tombstone is null on the wire, and JSON's null is not", async () => {
    const got = await through(
      users,
      (producer) =>
        Effect.gen(function* () {
          yield* producer.sendMessage("t", "null", { key: "k", headers: { tenant: "a" } })
          yield* producer.sendMessage("t", null, { key: "k", headers: { tenant: "a" } })
        }),
      2
    )
    expect(got.map(Either.mapLeft((error) => (error as { readonly part: string }).part))).toEqual([
      Either.left("value"),
      Either.right({ key: "k", value: null, headers: { tenant: "a" } })
    ])
  })

  test("headers that do not match are named, the last of a name counts, and others are ignored", async () => {
    const send = (headers: ReadonlyArray<{ key: string; value: string | Uint8Array | null }>) => (producer: Producer["Type"]) =>
      producer.sendMessage("t", '{"name":"Ann"}', { key: "k", headers })
    expect(await through(users, send([{ key: "other", value: new Uint8Array([0xff]) }]), 1)).toMatchObject([
      { _tag: "Left", left: { part: "headers", offset: 0 } }
    ])
    const repeated = ["x", "y"].map((value) => ({ key: "tenant", value }))
    expect(await through(users, send(repeated), 1)).toEqual([Either.right({ key: "k", value: { name: "Ann" }, headers: { tenant: "y" } })])
    expect(await through(users, send([{ key: "tenant", value: null }]), 1)).toMatchObject([{ _tag: "Left", left: { part: "headers" } }])
  })

  test("without a key is sent without one, and headers without a schema are the list", async () => {
    const got = await through(
      clicks,
      (producer) =>
        Effect.gen(function* () {
          yield* producer.send(clicks, null, { page: "/" }, { headers: { a: "1" } })
          yield* producer.sendMessage("t", '{"page":"/x"}', { key: "of another client" })
        }),
      2
    )
    expect(got).toEqual([
      Either.right({ key: null, value: { page: "/" }, headers: [{ key: "a", value: new TextEncoder().encode("1") }] }),
      Either.right({ key: null, value: { page: "/x" }, headers: [] })
    ])
  })

  test("refuses headers that its schema cannot encode, and schemas that are none", async () => {
    const send = (options: unknown) => (producer: Producer["Type"]) => Effect.flip(producer.send(users, "k", { name: "Ann" }, options as never))
    await withFake((fake) =>
      Effect.gen(function* () {
        fake.add("t", 1)
        const producer = yield* Producer.make({ leader })
        for (const options of [undefined, {}, { headers: { tenant: 5 } }]) expect(yield* send(options)(producer)).toMatchObject({ _tag: "ParseError" })
      })
    )
    for (const of of [undefined, {}, { value: 5 }, { value: User, key: "k" }, { value: User, headers: {} }, { value: User, tombstones: 1 }])
      expect(() => Topic.make("t", of as never)).toThrow("Topic.make")
  })
})

test("a record gives its headers as a list, as an object and by name", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("t", 1)
      const headers = [
        { key: "b", value: "1" },
        { key: "__proto__", value: "2" },
        { key: "b", value: "3" },
        { key: "none", value: null }
      ]
      yield* (yield* Producer.make({ leader })).sendMessage("t", "v", { headers })
      const consumer = yield* Consumer.make({ leader })
      yield* consumer.assign([{ topic: "t", partition: 0, at: "earliest" }])
      const [record] = yield* consumer.poll({ timeoutMs: 5000 })
      expect(record?.headers.map(({ key }) => key)).toEqual(["b", "__proto__", "b", "none"])
      expect(Object.entries(record?.headerObject ?? {}).map(([key, value]) => [key, value === null ? null : new TextDecoder().decode(value)])).toEqual([
        ["b", "3"],
        ["__proto__", "2"],
        ["none", null]
      ])
      expect(["b", "none", "toString"].map((name) => record?.headerText(name))).toEqual(["3", null, undefined])
    })
  ))
