import { afterAll, beforeAll, describe, expect } from "bun:test"
import { join } from "node:path"
import { Effect, Fiber, Stream } from "effect"
import { kafkaAvailable } from "../../scripts/bench/broker.ts"
import { freePort } from "../../scripts/bench/port.ts"
import { Admin, Consumer, type Isolation, Producer } from "../../src/programs/library.ts"
import { python, testWith } from "./support/peers.ts"
import { root, run } from "./support/process.ts"

const peer = join(root, "scripts/kafka-peer.sh")

/** Our consumer at Apache Kafka. */
describe("a consumer at Apache Kafka", () => {
  let port = 0
  let leader = ""
  beforeAll(async () => {
    if (!kafkaAvailable()) return
    port = await freePort()
    leader = `127.0.0.1:${port}`
    const settings = ["offsets.topic.num.partitions=1", "transaction.state.log.num.partitions=1"]
    await run("bash", [peer, "start", String(port)], { env: { KAFKA_PEER_EXTRA: settings.join("\n") } })
  }, 240_000)
  afterAll(async () => {
    if (port > 0) await run("bash", [peer, "stop", String(port)])
  })
  const make = <A>(body: (admin: Admin["Type"]) => Effect.Effect<A, unknown, never>) =>
    Effect.runPromise(Effect.scoped(Effect.flatMap(Admin.make({ leader }), body)))

  testWith(["java", "confluent"], "reads what is committed, and passes aborted transactions and markers", async () => {
    await make((admin) => admin.addTopic("payments", { partitions: 1 }))
    await run(python, ["-c", transactions, leader, "payments"])
    const read = (isolation: Isolation, end: number) =>
      Effect.scoped(
        Effect.gen(function* () {
          const consumer = yield* Consumer.make({ leader, isolation })
          yield* consumer.assign([{ topic: "payments", partition: 0, at: "earliest" }])
          const got: Array<string> = []
          while (((yield* consumer.positions)[0]?.offset ?? 0) < end) got.push(...(yield* consumer.poll()).map(({ text }) => text))
          return { got, lag: yield* consumer.lag }
        })
      )
    // Two messages and a marker for each transaction; the last one stays open.
    const committed = await Effect.runPromise(read("read_committed", 9))
    expect(committed).toEqual({ got: ["a1", "a2", "c1", "c2"], lag: [{ topic: "payments", partition: 0, offset: 9, end: 9, lag: 0 }] })
    const uncommitted = await Effect.runPromise(read("read_uncommitted", 11))
    expect(uncommitted.got).toEqual(["a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"])
  })

  testWith(["java"], "members handle every message once while one joins and one leaves; commits and events say so", async () => {
    const handled: Array<string> = []
    const events: Array<string> = []
    const worker = Effect.scoped(
      Effect.gen(function* () {
        const consumer = yield* Consumer.make({ leader, from: "earliest", commitIntervalMs: 500 })
        yield* Effect.forkScoped(Stream.runForEach(consumer.events, ({ _tag }) => Effect.sync(() => events.push(_tag))))
        yield* consumer.joinConsumerGroup("workers", { sessionTimeoutMs: 6000, heartbeatIntervalMs: 300 })
        yield* consumer.subscribe("jobs")
        yield* consumer.run(
          ({ text }) =>
            Effect.delay(
              Effect.sync(() => handled.push(text)),
              5
            ),
          { concurrency: 4 }
        )
      })
    )
    await make((admin) => admin.addTopic("jobs", { partitions: 4 }))
    const program = Effect.gen(function* () {
      const producer = yield* Producer.make({ leader })
      const send = (from: number, to: number) =>
        Effect.forEach(
          Array.from({ length: to - from }, (_, at) => `${from + at}`),
          (value) => producer.sendMessage("jobs", value, { key: value }),
          {
            concurrency: 100
          }
        )
      const until = (count: number) => Effect.repeat(Effect.sleep(20), { until: () => handled.length >= count })
      yield* send(0, 1000)
      const first = yield* Effect.fork(worker)
      yield* until(200)
      const second = yield* Effect.fork(worker)
      yield* Effect.repeat(Effect.sleep(20), { until: () => events.filter((event) => event === "PartitionsAssigned").length >= 3 })
      yield* send(1000, 2000)
      yield* until(1200)
      yield* Fiber.interrupt(first)
      yield* until(2000)
      yield* Fiber.interrupt(second)
    })
    await Effect.runPromise(Effect.scoped(program))
    expect(handled.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 2000 }, (_, at) => `${at}`))
    expect(new Set(events)).toEqual(new Set(["PartitionsAssigned", "OffsetsCommitted", "PartitionsRevoked"]))
    const offsets = await make((admin) => Effect.map(admin.describeGroup("workers"), (group) => group.offsets))
    expect(offsets.reduce((sum, { committed }) => sum + committed, 0)).toBe(2000)
  })
})

const transactions = `
import sys
from confluent_kafka import Producer
address, topic = sys.argv[1:3]
producer = Producer({"bootstrap.servers": address, "transactional.id": "payments"})
producer.init_transactions()
for name, end in (("a", "commit"), ("b", "abort"), ("c", "commit"), ("d", "open")):
    producer.begin_transaction()
    for number in (1, 2):
        producer.produce(topic, name + str(number))
    producer.flush()
    if end == "commit":
        producer.commit_transaction()
    elif end == "abort":
        producer.abort_transaction()
`
