import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Clock, Effect, Exit, Layer, TestClock, TestContext } from "effect"
import { Admin, Consumer, Producer } from "../../../src/programs/library.ts"
import { TestCluster } from "../../../src/programs/testing.ts"
import { root, run as runProgram } from "../../interop/support/process.ts"

const leader = "127.0.0.1:9092"
const clients = Layer.mergeAll(Producer.layer({ leader }), Consumer.layer({ leader, from: "earliest" }), Admin.layer({ leader }))
const virtual = (brokers = 1) => Layer.provideMerge(clients, TestCluster.layerVirtual({ brokers }))
type Provided = Layer.Layer.Success<typeof clients> | TestCluster
const run = <A, E>(test: Effect.Effect<A, E, Provided>, brokers = 1): Promise<A> => Effect.runPromise(Effect.provide(test, virtual(brokers)))

const topicOf = (topic: string, values: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const producer = yield* Producer
    yield* producer.addTopic(topic, { partitions: 1 })
    yield* Effect.forEach(values, (value) => producer.sendMessage(topic, value))
  })

describe("a cluster in virtual time", () => {
  test("sends and reads, at addresses that are known before it starts", async () => {
    const got = await run(
      Effect.gen(function* () {
        const { bootstrap, leader: first } = yield* TestCluster
        yield* (yield* Producer).addTopic("orders", { partitions: 3 })
        yield* (yield* Producer).sendMessage("orders", "hello", { key: "customer-7" })
        const consumer = yield* Consumer
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        const [message] = yield* consumer.poll({ timeoutMs: 20_000 })
        return { bootstrap, first, text: message?.text }
      }),
      3
    )
    expect(got).toEqual({ bootstrap: "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094", first: leader, text: "hello" })
  })

  test("waits pass by themselves: an empty poll of a minute", async () => {
    const waited = await run(
      Effect.gen(function* () {
        yield* topicOf("empty", [])
        const consumer = yield* Consumer
        yield* consumer.assign([{ topic: "empty", partition: 0, at: "earliest" }])
        const before = yield* Clock.currentTimeMillis
        expect(yield* consumer.poll({ timeoutMs: 60_000 })).toEqual([])
        return (yield* Clock.currentTimeMillis) - before
      })
    )
    expect(waited).toBe(60_000)
  })

  test("TestClock.adjust, under a TestContext: a handler that hangs gives its partition up after max.poll.interval", async () => {
    let attempts = 0
    const program = Effect.gen(function* () {
      yield* topicOf("orders", ["one"])
      const consumer = yield* Consumer
      yield* consumer.joinConsumerGroup("billing", { maxPollIntervalMs: 60_000 })
      yield* consumer.subscribe("orders")
      yield* Effect.fork(
        consumer.run(() =>
          Effect.zipRight(
            Effect.sync(() => attempts++),
            Effect.never
          )
        )
      )
      yield* TestClock.adjust("50 seconds")
      expect(attempts).toBe(1)
      yield* TestClock.adjust("1 minute")
      expect(attempts).toBe(2)
    })
    // As `it.effect` of @effect/vitest runs it: with a TestClock, which the layer's clock replaces.
    await Effect.runPromise(program.pipe(Effect.provide(virtual()), Effect.provide(TestContext.TestContext)))
  })

  test("TestClock.adjust runs what is due by then, and nothing later", async () => {
    const done: Array<string> = []
    await run(
      Effect.gen(function* () {
        const at = yield* Clock.currentTimeMillis
        yield* Effect.fork(
          Effect.delay(
            Effect.sync(() => done.push("59 s")),
            "59 seconds"
          )
        )
        yield* Effect.fork(
          Effect.delay(
            Effect.sync(() => done.push("60 s")),
            "60 seconds"
          )
        )
        yield* Effect.fork(
          Effect.delay(
            Effect.sync(() => done.push("61 s")),
            "61 seconds"
          )
        )
        yield* TestClock.adjust("1 minute")
        expect(done).toEqual(["59 s", "60 s"])
        expect((yield* Clock.currentTimeMillis) - at).toBe(60_000)
        yield* TestClock.setTime(at + 61_000)
        expect(done).toEqual(["59 s", "60 s", "61 s"])
        expect(Exit.isFailure(yield* Effect.exit(TestClock.setTime(at)))).toBe(true)
      })
    )
  })

  test("has a network and logs of its own, and is gone with its scope", async () => {
    const names = Effect.flatMap(Admin, (admin) => Effect.map(admin.listTopics(), (topics) => topics.map(({ name }) => name)))
    const one = run(Effect.zipRight(topicOf("one", ["a"]), names))
    const other = run(Effect.zipRight(topicOf("other", ["b"]), names))
    expect([await one, await other]).toEqual([["one"], ["other"]])
    expect(await run(names)).toEqual([])
    const outside = await Effect.runPromise(Effect.flip(Effect.scoped(Producer.make({ leader: "127.0.0.1:1", retryTimeoutMs: 200 }))))
    expect(outside).toMatchObject({ _tag: "NotReachable" })
  })

  test("refuses TLS with a typed error", async () => {
    const refused = await run(Effect.flip(Effect.scoped(Producer.make({ leader, tls: true, retryTimeoutMs: 1000 }))))
    expect(String(refused)).toContain("the simulated network has no TLS")
  })
})

/** The TypeScript of the guide is one program, which prints its block without a language. */
test("docs/guides/testing-time-and-faults.md prints what it says", async () => {
  const text = readFileSync(join(root, "docs/guides/testing-time-and-faults.md"), "utf8")
  const blocks = (language: string) => [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, of, code = ""]) => (of === language ? [code] : []))
  expect(await runProgram(process.execPath, ["-e", blocks("ts").join("\n")])).toBe(blocks("").at(-1) ?? "")
})
