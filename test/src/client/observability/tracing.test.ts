import { describe, expect, test } from "bun:test"
import { Effect, Option, type Scope, Tracer } from "effect"
import fc from "fast-check"
import { Consumer } from "../../../../src/client/consumer/consumer.ts"
import { spanOf, traceParent, withTraceHeader } from "../../../../src/client/observability/trace-context.ts"
import { type TracingOptions, tracedProducer, traceProcessing } from "../../../../src/client/observability/tracing.ts"
import { Producer } from "../../../../src/client/producer/producer.ts"
import type { FakeCluster } from "../fake-cluster.ts"
import { leader, withFake } from "../support.ts"

interface Seen {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  readonly parent: string | undefined
  readonly attributes: Map<string, unknown>
  status: string
}
/** A tracer that keeps what it is told. */
class Recorder {
  readonly spans: Array<Seen> = []
  readonly tracer = Tracer.make({
    context: (run) => run(),
    span: (name, parent, context, links, startTime, kind, options) => {
      const traceId = Option.match(parent, { onNone: () => `${this.spans.length + 1}`.padStart(32, "a"), onSome: (one) => one.traceId })
      const spanId = `${this.spans.length + 1}`.padStart(16, "b")
      const attributes = new Map<string, unknown>(Object.entries(options?.attributes ?? {}))
      const seen: Seen = { name, kind, traceId, spanId, parent: Option.getOrUndefined(Option.map(parent, (one) => one.spanId)), attributes, status: "open" }
      this.spans.push(seen)
      return {
        _tag: "Span",
        ...{ name, spanId, traceId, parent, context, links, kind, attributes, sampled: true },
        status: { _tag: "Started", startTime },
        end: (_, exit) => {
          seen.status = exit._tag
        },
        attribute: (key, value) => attributes.set(key, value),
        event: () => {},
        addLinks: () => {}
      }
    }
  })
}

/** Sends within traced producers; returns the spans, the outcome and the headers that the partition has. */
const sent = async <A>(
  send: (producer: Producer["Type"]) => Effect.Effect<A, unknown, Scope.Scope>,
  options: TracingOptions = {},
  prepare: (fake: FakeCluster) => void = () => {}
) => {
  const recorder = new Recorder()
  const run = (fake: FakeCluster) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      prepare(fake)
      const producer = tracedProducer(yield* Producer.make({ leader }), options)
      const outcome = yield* Effect.either(Effect.withTracer(send(producer), recorder.tracer))
      const headers = fake
        .records("orders", 0)
        .map((record) => record.headers.map(({ key, value }) => `${key}=${new TextDecoder().decode(value ?? new Uint8Array())}`))
      return { outcome, headers }
    })
  return { ...(await withFake(run)), spans: recorder.spans }
}
const firstHeader = `traceparent=00-${"1".padStart(32, "a")}-${"1".padStart(16, "b")}-01`

describe("spans of a producer", () => {
  test("a message has a span by the conventions for messaging, and its trace in the header", async () => {
    const { headers, spans } = await sent((producer) => producer.sendMessage("orders", "hello", { key: "k1", headers: { a: "1" } }))
    expect(headers).toEqual([["a=1", firstHeader]])
    expect(spans).toMatchObject([{ name: "send orders", kind: "producer", status: "Success", parent: undefined }])
    expect(Object.fromEntries(spans[0]?.attributes ?? [])).toEqual({
      "messaging.system": "kafka",
      "messaging.operation.type": "send",
      "messaging.operation.name": "send",
      "messaging.destination.name": "orders",
      "messaging.destination.partition.id": "0",
      "messaging.kafka.message.key": "k1",
      "messaging.kafka.offset": 0,
      "messaging.message.body.size": 5
    })
  })

  test("a span of the caller is the parent; one that is not sampled is passed on without a span", async () => {
    const within = await sent((producer) => Effect.withSpan(producer.sendMessage("orders", "x", { headers: [{ key: "a", value: null }] }), "checkout"))
    expect(within.spans.map(({ name, parent }) => [name, parent])).toEqual([
      ["checkout", undefined],
      ["send orders", "1".padStart(16, "b")]
    ])
    expect(within.headers[0]?.[1]).toBe(`traceparent=00-${"1".padStart(32, "a")}-${"2".padStart(16, "b")}-01`)
    const parent = Tracer.externalSpan({ traceId: "c".repeat(32), spanId: "d".repeat(16), sampled: false })
    const unsampled = await sent((producer) => Effect.withParentSpan(producer.sendMessage("orders", "x"), parent))
    expect(unsampled.spans).toEqual([])
    expect(unsampled.headers).toEqual([[`traceparent=00-${"c".repeat(32)}-${"d".repeat(16)}-00`]])
  })

  test("a batch has one span; sample 0 has none; a header of the caller stays", async () => {
    const batch = await sent((producer) => producer.sendBatch("orders", [{ value: "a" }, { value: "b", headers: { traceparent: "mine" } }]))
    expect(batch.headers).toEqual([[firstHeader], ["traceparent=mine"]])
    expect(batch.spans.map(({ attributes }) => attributes.get("messaging.batch.message_count"))).toEqual([2])
    const none = await sent((producer) => producer.sendMessage("orders", "a"), { sample: 0 })
    expect([none.spans, none.headers]).toEqual([[], [[]]])
  })

  test("a message that is refused ends its span with the error", async () => {
    const { outcome, spans } = await sent((producer) => producer.sendMessage("orders", "x".repeat(2_000_000)))
    expect(outcome).toMatchObject({ _tag: "Left", left: { _tag: "MessageTooLarge" } })
    expect(spans).toMatchObject([{ status: "Failure" }])
    expect(spans[0]?.attributes.get("error.type")).toBe("MessageTooLarge")
  })

  test("wrong arguments are refused as without spans", async () => {
    for (const [topic, value, options] of [
      [7, "x", {}],
      ["orders", 7, {}],
      ["orders", "x", { headers: new Map() }],
      ["orders", "x", 3]
    ] as ReadonlyArray<ReadonlyArray<unknown>>) {
      const { outcome } = await sent((producer) =>
        (producer.sendMessage as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>)(topic, value, options)
      )
      expect(outcome).toMatchObject({ _tag: "Left", left: { _tag: "InvalidArgument", call: "sendMessage" } })
    }
  })
})

test("the processing of a message continues the trace of its sender", async () => {
  const recorder = new Recorder()
  await withFake((fake) =>
    Effect.gen(function* () {
      fake.add("orders", 1)
      const producer = tracedProducer(yield* Producer.make({ leader }))
      yield* producer.sendMessage("orders", "traced")
      yield* tracedProducer(producer, { sample: 0 }).sendMessage("orders", "also traced")
      const consumer = yield* Consumer.make({ leader })
      yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
      for (const record of yield* consumer.poll()) yield* Effect.withSpan(Effect.void, "work").pipe(traceProcessing(record, { group: "billing" }))
    }).pipe(Effect.withTracer(recorder.tracer))
  )
  expect(recorder.spans.map(({ kind, name }) => `${kind} ${name}`).slice(0, 4)).toEqual([
    "producer send orders",
    "producer send orders",
    "consumer process orders",
    "internal work"
  ])
  const [send, , process, work] = recorder.spans
  expect(process).toMatchObject({ traceId: send?.traceId, parent: send?.spanId })
  expect(work).toMatchObject({ traceId: send?.traceId, parent: process?.spanId })
  expect(Object.fromEntries(process?.attributes ?? [])).toMatchObject({ "messaging.consumer.group.name": "billing", "messaging.kafka.offset": 0 })
})

describe("traceparent", () => {
  const hex = (length: number) => fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length })
  test("is read as it was written", () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        const value = traceParent({ traceId, spanId, sampled })
        if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) expect(value).toBeUndefined()
        else expect(spanOf(value)).toMatchObject({ traceId, spanId, sampled })
      })
    )
  })
  test("is ignored where it is not valid", () => {
    const [trace, span] = ["a".repeat(32), "b".repeat(16)]
    const wrong = [
      "",
      `00-${trace}-${span}`,
      `ff-${trace}-${span}-01`,
      `00-${trace}-${span}-01-more`,
      `00-${"0".repeat(32)}-${span}-01`,
      `00-${trace.toUpperCase()}-${span}-01`,
      "x".repeat(9999)
    ]
    for (const value of [...wrong, null, undefined]) expect(spanOf(value)).toBeUndefined()
    expect(spanOf(`01-${trace}-${span}-03-later`)).toMatchObject({ sampled: true })
    expect(traceParent({ traceId: "short", spanId: span, sampled: true })).toBeUndefined()
    expect(withTraceHeader([{ key: "traceparent", value: "mine" }], "other")).toEqual([{ key: "traceparent", value: "mine" }])
  })
})
