import { describe, expect, test } from "bun:test"
import { Cause, Effect, Exit, Option, Schema, type Scope, Stream } from "effect"
import fc from "fast-check"
import { Admin } from "../../../../src/client/admin/admin.ts"
import { shown } from "../../../../src/client/argument/guard.ts"
import { clusterEvents } from "../../../../src/client/consumer/cluster-events.ts"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { ConsumedRecord } from "../../../../src/client/consumer/fetch/record.ts"
import { records } from "../../../../src/client/consumer/typed/records.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import * as Topic from "../../../../src/client/topic/topic.ts"
import type { Checksum } from "../../../../src/ports/checksum.ts"
import type { Compression } from "../../../../src/ports/compression.ts"
import type { Transport } from "../../../../src/ports/transport.ts"
import { leader, withFake } from "../support.ts"

const numRuns = Number(process.env.FRANZ_RUNS ?? 60)

/** An effect that is called as JavaScript calls it: the types say nothing about what comes. */
type Loose = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, { readonly _tag: string }>
const loose = (call: unknown): Loose => call as Loose
/** One that also needs the platform. */
const looseMake = (make: unknown) => make as (options: unknown) => Effect.Effect<unknown, unknown, Transport | Checksum | Compression | Scope.Scope>

const detached = (): Uint8Array => {
  const bytes = new Uint8Array([1, 2, 3])
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}
const throwing = new Proxy(
  {},
  {
    get: () => {
      throw new Error("a getter that throws")
    },
    ownKeys: () => {
      throw new Error("keys that throw")
    }
  }
)

/** What JavaScript callers give by mistake, for any argument. */
const mistakes: ReadonlyArray<unknown> = [
  undefined,
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  10n,
  true,
  "",
  "a/b",
  "..",
  "x".repeat(250),
  "\ud800",
  "\u0000",
  Symbol("s"),
  () => 1,
  new Date(),
  new Map([["a", "b"]]),
  new Set(["a"]),
  new Headers({ a: "b" }),
  [],
  [undefined],
  [["key", "value"]],
  {},
  { a: undefined },
  { a: 1 },
  new ArrayBuffer(3),
  new Uint16Array(3),
  new DataView(new ArrayBuffer(3)),
  detached(),
  Object.create(Uint8Array.prototype),
  Promise.resolve("late"),
  throwing
]
const mistake = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...mistakes) },
  { weight: 1, arbitrary: fc.anything({ withBigInt: true, withDate: true, withMap: true }) }
)
const objectOf = (...names: ReadonlyArray<string>) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record(Object.fromEntries(names.map((name) => [name, mistake])), { requiredKeys: [] }) },
    { weight: 1, arbitrary: mistake }
  )

const messageOptions = objectOf("key", "partition", "headers", "timestamp", "misspelt")
const someTopic = fc.oneof(fc.constant("orders"), mistake)
const places = fc.oneof(fc.array(objectOf("topic", "partition", "at", "misspelt"), { maxLength: 3 }), mistake)

/** Every call with arguments. None may die, hang, or break the calls after it. */
const calls = fc.oneof(
  fc.tuple(fc.constant("sendMessage"), someTopic, mistake, messageOptions),
  fc.tuple(fc.constant("send"), mistake, mistake, mistake, messageOptions),
  fc.tuple(
    fc.constant("sendMessages"),
    someTopic,
    fc.oneof(fc.array(objectOf("value", "key", "partition")), mistake),
    fc.oneof(
      fc.constant(() => {}),
      mistake
    )
  ),
  fc.tuple(fc.constant("addTopic"), mistake, objectOf("partitions", "replicationFactor", "configs", "misspelt")),
  fc.tuple(fc.constant("poll"), objectOf("maxRecords", "timeoutMs", "acknowledge", "misspelt")),
  fc.tuple(fc.constant("acknowledge"), objectOf("topic", "partition", "offset")),
  fc.tuple(fc.constant("assign"), places),
  fc.tuple(fc.constant("seek"), someTopic, mistake, mistake),
  fc.tuple(fc.constant("unsubscribe"), someTopic),
  fc.tuple(fc.constant("listTopics"), objectOf("internal", "misspelt")),
  fc.tuple(fc.constant("addPartitions"), mistake, mistake),
  fc.tuple(fc.constant("configureTopic"), mistake, objectOf("set", "unset", "misspelt")),
  fc.tuple(fc.constant("configureNode"), mistake, objectOf("set", "unset", "misspelt"))
)

/** How a call ended: never by a defect, and always. */
const ended = (what: string, effect: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Effect.timeoutOption(effect, 60_000))
    if (Exit.isSuccess(exit)) return expect([what, Option.isSome(exit.value as Option.Option<unknown>)]).toEqual([what, true])
    expect([what, Cause.isFailure(exit.cause) && !Cause.isDie(exit.cause), Cause.pretty(exit.cause)]).toEqual([what, true, Cause.pretty(exit.cause)])
  })

describe("arguments of JavaScript callers", () => {
  test(
    "whatever a call is given, it fails by itself with a typed error or does what it says, and the calls after it work",
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(calls, { minLength: 1, maxLength: 12 }), (asked) =>
          withFake((fake) =>
            Effect.gen(function* () {
              fake.add("orders", 2)
              const options = { leader, deliveryTimeoutMs: 5000, retryTimeoutMs: 300, unknownTopicTimeoutMs: 50, createTopics: false }
              const producer = yield* Producer.make(options)
              const { createTopics: _, deliveryTimeoutMs: __, ...connection } = options
              const consumer = yield* Consumer.make(connection)
              const admin = yield* Admin.make(connection)
              const services: Readonly<Record<string, unknown>> = { ...producer, ...consumer, ...admin }
              for (const [name, ...args] of asked as ReadonlyArray<readonly [string, ...ReadonlyArray<unknown>]>)
                yield* ended(name, loose(services[name])(...args))
              yield* producer.flush
              const sent = yield* producer.sendMessage("orders", "after all", { partition: 1 })
              expect(fake.texts("orders", 1)[sent.offset]).toBe("after all")
            })
          )
        ),
        { numRuns }
      ),
    300_000 + numRuns * 500
  )

  test("a partition that is named twice is refused: one of its two places would have the offset of the other", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 2)
        const consumer = yield* Consumer.make({ leader })
        const places = (["earliest", "latest"] as const).map((at) => ({ topic: "orders", partition: 0, at }))
        const refused = { _tag: "InvalidArgument", field: "places[1]", allowed: "partitions, each once" }
        expect(yield* Effect.flip(consumer.offsets(places))).toMatchObject({ ...refused, call: "offsets" })
        expect(yield* Effect.flip(consumer.assign(places))).toMatchObject({ ...refused, call: "assign" })
      })
    ))

  test("one malformed message among many fails alone, and says what is wrong with it", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 2)
        const producer = yield* Producer.make({ leader })
        const send = loose(producer.sendMessage)
        const refusal = (...args: ReadonlyArray<unknown>) => Effect.flip(send("orders", ...args))
        expect(yield* refusal(undefined)).toMatchObject({ _tag: "InvalidArgument", call: "sendMessage", field: "value", given: "undefined" })
        expect(yield* refusal(42)).toMatchObject({ field: "value", given: "42" })
        expect(yield* refusal("v", { key: 42 })).toMatchObject({ field: "key" })
        expect(yield* refusal("v", { headers: { trace: undefined } })).toMatchObject({ field: 'headers["trace"]', given: "undefined" })
        expect(yield* refusal("v", { headers: new Map([["a", "b"]]) })).toMatchObject({ field: "headers", given: 'an object of "Map"' })
        expect(yield* refusal("v", { headers: [{ key: "a", value: 1 }] })).toMatchObject({ field: "headers[0].value" })
        expect(yield* refusal("v", { timestamp: new Date() })).toMatchObject({ field: "timestamp" })
        expect(yield* refusal("v", { partition: 0.5 })).toMatchObject({ field: "partition", given: "0.5" })
        expect(yield* refusal("v", { partiton: 1 })).toMatchObject({ field: "options.partiton" })
        expect(yield* refusal(detached())).toMatchObject({ field: "value", allowed: expect.stringContaining("detached") })
        expect(yield* refusal("half \ud83d")).toMatchObject({ field: "value", allowed: expect.stringContaining("surrogates") })
        expect(yield* producer.sendMessage("orders", "good", { partition: 0 })).toMatchObject({ offset: 0 })
        yield* producer.flush
      })
    ))

  test("a buffer that the caller detaches before the message is encoded fails that message alone", () =>
    withFake((fake) =>
      Effect.gen(function* () {
        fake.add("orders", 1)
        const producer = yield* Producer.make({ leader, lingerMs: 100 })
        yield* producer.sendMessage("orders", "first")
        const bytes = new Uint8Array([1, 2, 3])
        const sending = Effect.forEach(["before", bytes, "behind"], (value) => Effect.either(producer.sendMessage("orders", value)), { concurrency: 3 })
        const detach = Effect.sync(() => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }))
        const [outcomes] = yield* Effect.all([sending, detach], { concurrency: 2 })
        expect(outcomes.map(({ _tag }) => _tag)).toEqual(["Right", "Left", "Right"])
        expect(fake.texts("orders", 0)).toEqual(["first", "before", "behind"])
      })
    ))

  test("options that are misspelt, of the wrong type or contradict each other are refused when a client is made", () =>
    withFake(() =>
      Effect.gen(function* () {
        const refusal = (make: unknown, options: unknown) => Effect.flip(Effect.scoped(looseMake(make)(options)))
        expect(yield* refusal(Producer.make, undefined)).toMatchObject({ _tag: "InvalidArgument", call: "Producer.make", field: "options" })
        expect(yield* refusal(Producer.make, { leader, ack: 1 })).toMatchObject({ field: "options.ack", allowed: expect.stringContaining("acks") })
        expect(yield* refusal(Producer.make, { leader: undefined })).toMatchObject({ field: "options.leader", allowed: expect.stringContaining("HOST:PORT") })
        expect(yield* refusal(Producer.make, { leader, acks: "1" })).toMatchObject({ field: "options.acks", given: '"1"' })
        expect(yield* refusal(Producer.make, { leader, acks: 1, idempotent: true })).toMatchObject({ field: "options.acks" })
        expect(yield* refusal(Producer.make, { leader, lingerMs: "5" })).toMatchObject({ field: "options.lingerMs" })
        expect(yield* refusal(Producer.make, { leader, deliveryTimeoutMs: 2000, requestTimeoutMs: 30_000 })).toMatchObject({
          field: "options.deliveryTimeoutMs"
        })
        expect(yield* refusal(Consumer.make, { leader, from: "beginning" })).toMatchObject({ call: "Consumer.make", field: "options.from" })
        expect(yield* refusal(Consumer.make, { leader, commitIntervalMs: Number.NaN })).toMatchObject({ field: "options.commitIntervalMs" })
        expect(yield* refusal(Consumer.make, { leader, isolation: "committed" })).toMatchObject({ field: "options.isolation" })
        expect(yield* refusal(Admin.make, { leader: 9092 })).toMatchObject({ call: "Admin.make", field: "options.leader" })
        expect(yield* refusal(Admin.make, { leader, tls: "yes" })).toMatchObject({ field: "options.tls" })
        expect(yield* refusal(Admin.make, { leader, tls: { certificate: "PEM" } })).toMatchObject({ field: "options.tls.privateKey" })
        expect(yield* refusal(Admin.make, { leader, tls: { rejectUnauthorized: false } })).toMatchObject({ field: "options.tls.rejectUnauthorized" })
        const sasl = { mechanism: "PLAIN", username: "u" }
        expect(yield* refusal(Admin.make, { leader, sasl })).toMatchObject({ field: "options.sasl.password", given: "undefined" })
        expect(yield* refusal(Admin.make, { leader, sasl: { ...sasl, mechanism: "GSSAPI" } })).toMatchObject({ field: "options.sasl.mechanism" })
        expect(yield* refusal(Admin.make, { leader, sasl: { mechanism: "OAUTHBEARER", token: "t" } })).toMatchObject({ field: "options.sasl.token" })
        expect(yield* refusal(Admin.make, { leader, retryTimeOutMs: 5 })).toMatchObject({
          field: "options.retryTimeOutMs",
          allowed: expect.stringContaining("retryTimeoutMs")
        })
        const consumer = yield* Consumer.make({ leader })
        const join = loose(consumer.joinConsumerGroup)
        expect(yield* Effect.flip(join("g", { sessionTimeoutMs: 3000, heartbeatIntervalMs: 3000 }))).toMatchObject({ field: "options.heartbeatIntervalMs" })
        expect(yield* Effect.flip(join("", {}))).toMatchObject({ field: "group" })
        expect(yield* Effect.flip(join("g", { assignors: ["cooperative"] }))).toMatchObject({ field: "options.assignors[0]" })
        const events = Stream.runDrain(clusterEvents({ leader }, { from: -1 }))
        expect(yield* Effect.flip(events)).toMatchObject({ call: "clusterEvents", field: "options.from" })
        const orders = Topic.make("orders", { key: Schema.String, value: Schema.Number })
        const stream = Stream.runDrain(records(orders, { group: "g", onUndecodable: "ignore" } as never)).pipe(Effect.provideService(Consumer, consumer))
        expect(yield* Effect.flip(stream)).toMatchObject({ call: "records", field: "options.onUndecodable" })
        const empty = Stream.runDrain(records(orders, { group: "g", chunkRecordsMax: 0 })).pipe(Effect.provideService(Consumer, consumer))
        expect(yield* Effect.flip(empty)).toMatchObject({ call: "records", field: "options.chunkRecordsMax" })
      })
    ))

  test("what is shown of an argument is short, and has no control characters", () => {
    fc.assert(fc.property(mistake, (value) => expect(shown(value)).toMatch(/^[^\p{Cc}\u202e]{1,200}$/u)))
    expect(shown("\u001b[31m\u009b\u202e")).toBe('"\\u001b[31m\\u009b\\u202e"')
  })
})

test("headers are sent in their order, names may repeat, and headers as read can be sent again", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const producer = yield* Producer.make({ leader })
      const consumer = yield* Consumer.make({ leader })
      const headers = ["b", "10", "2", "b"].map((key, at) => ({ key, value: at === 2 ? null : `${at}` }))
      yield* producer.sendMessage("orders", "v", { headers })
      yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
      const [read] = yield* consumer.poll({ timeoutMs: 3000 })
      yield* producer.sendMessage("orders", "forwarded", { headers: read?.headers ?? [] })
      const [again] = yield* consumer.poll({ timeoutMs: 3000 })
      const expected = headers.map(({ key, value }) => ({ key, value: value === null ? null : new TextEncoder().encode(value) }))
      expect(read?.headers).toEqual(expected)
      expect(again?.headers).toEqual(expected)
      yield* producer.sendMessage("orders", "short", { headers: { a: "1", none: null } })
      const [short] = yield* consumer.poll({ timeoutMs: 3000 })
      expect(short?.headers).toEqual([
        { key: "a", value: new TextEncoder().encode("1") },
        { key: "none", value: null }
      ])
    })
  ))

test("acknowledge refuses a record that cannot be read, also one of the library's own class", () =>
  withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const consumer = yield* Consumer.make({ leader })
      yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
      const made = new ConsumedRecord("orders", 0, undefined as never)
      const unlike = new Proxy(made, { getPrototypeOf: () => null })
      for (const record of [made, unlike]) expect(yield* Effect.flip(consumer.acknowledge(record))).toMatchObject({ call: "acknowledge" })
    })
  ))
