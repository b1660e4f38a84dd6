import { describe, expect, test } from "bun:test"
import { Clock, Effect, Layer, LogLevel, TestClock } from "effect"
import { Admin, Consumer, InvalidArgument, Producer } from "../../../../src/programs/library.ts"
import { type FaultOptions, startCluster, TestCluster } from "../../../../src/programs/testing.ts"

const leader = "127.0.0.1:9092"
const clients = Layer.mergeAll(Producer.layer({ leader, requestTimeoutMs: 5000 }), Consumer.layer({ leader, from: "earliest" }), Admin.layer({ leader }))
type Provided = Layer.Layer.Success<typeof clients> | TestCluster
const run = <A, E>(test: Effect.Effect<A, E, Provided>): Promise<A> =>
  Effect.runPromise(Effect.provide(test, Layer.provideMerge(clients, TestCluster.layerVirtual({ logLevel: LogLevel.None }))))

const fault = (options: FaultOptions) => Effect.map(TestCluster, (cluster) => cluster.fault(options))
const addTopic = Effect.flatMap(Producer, (producer) => producer.addTopic("orders", { partitions: 1 }))
const send = (value: string) => Effect.flatMap(Producer, (producer) => producer.sendMessage("orders", value))
const values = Effect.gen(function* () {
  const consumer = yield* Consumer
  yield* consumer.assign([{ topic: "orders", partition: 0, at: "earliest" }])
  return (yield* consumer.poll({ timeoutMs: 5000 })).map(({ text }) => text)
})
/** How long a send takes beside a fault, ms of virtual time; how often the fault struck, and what is in the topic then. */
const sendBeside = (options: FaultOptions) =>
  Effect.gen(function* () {
    yield* addTopic
    yield* send("before")
    const struck = yield* fault(options)
    const at = yield* Clock.currentTimeMillis
    yield* send("beside")
    const tookMs = (yield* Clock.currentTimeMillis) - at
    return { tookMs, struck: struck.struck, values: yield* values }
  })

describe("a fault of Produce, and a producer that sends once all the same", () => {
  const both = ["before", "beside"]
  for (const of of ["request", "response"] as const) {
    test(`drop ${of}: until the request timeout`, async () => {
      const got = await run(sendBeside({ api: "Produce", count: 1, action: { drop: of } }))
      expect(got).toMatchObject({ struck: 1, values: both })
      expect(got.tookMs).toBeGreaterThanOrEqual(5000)
    })
    test(`disconnect ${of}: at once`, async () => {
      const got = await run(sendBeside({ api: 0, count: 2, action: { disconnect: of } }))
      expect(got).toMatchObject({ struck: 2, values: both })
      expect(got.tookMs).toBeLessThan(5000)
    })
  }
  test("delay", async () => {
    const got = await run(sendBeside({ api: "Produce", node: leader, count: 1, action: { delayMs: 3000 } }))
    expect(got).toMatchObject({ struck: 1, values: both })
    expect(got.tookMs).toBeGreaterThanOrEqual(3000)
    expect(got.tookMs).toBeLessThan(5000)
  })
  test("an error that may pass", async () => {
    expect(await run(sendBeside({ api: "Produce", count: 3, action: { errorCode: "NOT_LEADER_OR_FOLLOWER" } }))).toMatchObject({ struck: 3, values: both })
  })
})

describe("errors", () => {
  test("that will not pass reach the caller, and the node has done nothing", async () => {
    const got = await run(
      Effect.gen(function* () {
        yield* addTopic
        const refused = yield* fault({ api: "Produce", action: { errorCode: "TOPIC_AUTHORIZATION_FAILED" } })
        const failure = yield* Effect.flip(send("never"))
        refused.remove()
        yield* send("after")
        return { failure: JSON.stringify(failure), values: yield* values }
      })
    )
    expect(got.failure).toContain("TOPIC_AUTHORIZATION_FAILED")
    expect(got.values).toEqual(["after"])
  })
  test("of a whole response, of topics and of metadata", async () => {
    await run(
      Effect.gen(function* () {
        const admin = yield* Admin
        yield* addTopic
        yield* fault({ api: "CreateTopics", count: 1, action: { errorCode: "POLICY_VIOLATION" } })
        expect(JSON.stringify(yield* Effect.flip(admin.addTopic("refused")))).toContain("POLICY_VIOLATION")
        const metadata = yield* fault({ api: "Metadata", count: 2, action: { errorCode: "LEADER_NOT_AVAILABLE" } })
        expect((yield* admin.describeTopic("orders")).partitions).toHaveLength(1)
        expect(metadata.struck).toBe(2)
        const loading = yield* fault({ api: "FindCoordinator", count: 2, action: { errorCode: "COORDINATOR_NOT_AVAILABLE" } })
        const joining = yield* fault({ api: "JoinGroup", count: 1, action: { errorCode: "COORDINATOR_LOAD_IN_PROGRESS" } })
        yield* send("a")
        const consumer = yield* Consumer
        yield* consumer.joinConsumerGroup("billing")
        yield* consumer.subscribe("orders")
        expect((yield* consumer.poll({ timeoutMs: 60_000 })).map(({ text }) => text)).toEqual(["a"])
        expect([loading.struck, joining.struck]).toEqual([2, 1])
      })
    )
  })
  test("silent heartbeats: the session ends, the consumer joins again and continues", async () => {
    await run(
      Effect.gen(function* () {
        yield* addTopic
        const consumer = yield* Consumer
        yield* consumer.joinConsumerGroup("billing", { sessionTimeoutMs: 20_000 })
        yield* consumer.subscribe("orders")
        const read: Array<string> = []
        yield* Effect.fork(consumer.run((record) => Effect.sync(() => read.push(record.text))))
        yield* TestClock.adjust("10 seconds")
        const members = Effect.map((yield* Admin).describeGroup("billing"), (group) => group.members.map(({ memberId }) => memberId))
        const before = yield* members
        const silent = yield* fault({ api: "Heartbeat", action: { drop: "request" } })
        const rejoin = yield* fault({ api: "JoinGroup", action: { drop: "request" } })
        yield* TestClock.adjust("40 seconds")
        expect(silent.struck).toBeGreaterThan(0)
        expect(yield* members).toEqual([])
        silent.remove()
        rejoin.remove()
        yield* TestClock.adjust("40 seconds")
        const after = yield* members
        expect(after).toHaveLength(1)
        expect(after).not.toEqual(before)
        yield* send("after")
        yield* TestClock.adjust("5 seconds")
        expect(read).toEqual(["after"])
      })
    )
  })
})

describe("arguments", () => {
  test("that are wrong are refused by name, and no fault is installed", async () => {
    const cluster = await startCluster()
    const refusal = (options: unknown) => {
      try {
        return `installed: ${cluster.fault(options as FaultOptions)}`
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidArgument)
        return String(error)
      }
    }
    const action = { drop: "request" } as const
    expect(refusal({ api: "Produse", action })).toMatch(/options\.api is "Produse".*Did you mean 'Produce'/)
    expect(refusal({ api: 999, action })).toContain("options.api is 999")
    expect(refusal({ api: 0, action, node: "127.0.0.1:1" })).toContain(`one of ${cluster.leader}`)
    for (const count of [0, -1, 1.5, Number.NaN]) expect(refusal({ api: 0, action, count })).toContain(`options.count is ${count}`)
    for (const wrong of [
      undefined,
      null,
      {},
      { drop: "all" },
      { delayMs: Number.NaN },
      { errorCode: "NOT_LEADER" },
      { errorCode: "NONE" },
      { ...action, delayMs: 1 }
    ])
      expect(refusal({ api: 0, action: wrong })).toContain("options.action")
    expect(refusal({ api: 0, action, nodes: 1 })).toContain("options.nodes")
    expect(refusal(undefined)).toContain("options is undefined")
    await cluster.close()
  })
})

test("faults over TCP, by node", async () => {
  const cluster = await startCluster({ brokers: 2 })
  try {
    const [first = "", second = ""] = cluster.brokers
    const onFirst = cluster.fault({ api: "Produce", node: first, action: { errorCode: "NOT_LEADER_OR_FOLLOWER" } })
    const onSecond = cluster.fault({ api: "Produce", node: second, count: 1, action: { disconnect: "response" } })
    const cut = cluster.fault({ api: "CreateTopics", count: 1, action: { disconnect: "request" } })
    const program = Effect.gen(function* () {
      const producer = yield* Producer.make({ leader: cluster.bootstrap })
      yield* producer.addTopic("orders", { partitions: 4 })
      const sending = yield* Effect.fork(
        Effect.forEach([0, 1, 2, 3], (partition) => producer.sendMessage("orders", `${partition}`, { partition }), { concurrency: 4 })
      )
      yield* Effect.repeat(
        Effect.delay(
          Effect.sync(() => onFirst.struck),
          5
        ),
        { until: (struck) => struck > 1 }
      )
      onFirst.remove()
      const sent = yield* sending
      return sent.map(({ offset }) => offset)
    })
    expect(await Effect.runPromise(Effect.scoped(program))).toEqual([0, 0, 0, 0])
    expect([onSecond.struck, cut.struck]).toEqual([1, 1])
  } finally {
    await cluster.close()
  }
}, 120_000)
