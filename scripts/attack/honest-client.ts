/**
 * `bun scripts/attack/honest-client.ts PORT`: the clients that a node under attack must keep serving, in a process of their own. They ask ApiVersions over an open connection and over
 * new ones, send messages one by one with an idempotent producer, and read them in a group. At the end of stdin they wait for what is under way and print a Verdict as JSON.
 */
import { Effect, Fiber, Layer } from "effect"
import { Consumer, Producer } from "../../src/programs/library.ts"
import { ApiVersions } from "../../src/protocol/message/18-api-versions.ts"
import { Raw, withRaw } from "./raw.ts"
import type { Verdict } from "./verdict.ts"

const port = Number(process.argv[2])
const leader = `127.0.0.1:${port}`
const topic = "honest"
/** How long the messages of the whole run may take to arrive after the attack, ms: a node that serves needs a second. */
const settleWithinMs = 90_000

let isOver = false
const failures: Array<string> = []
const waits = { openMs: 0, newMs: 0, produceMs: 0 }
let probes = 0
const fail = (what: string) => (cause: unknown) => {
  if (failures.length < 20) failures.push(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`)
}

/** Asks over one connection, again and again; a connection that the node ends is a failure, and the next one continues. */
const probeOpen = async () => {
  while (!isOver) {
    const raw = await Raw.open(port)
    if (raw === undefined) {
      fail("an open connection")("could not be opened")
      await Bun.sleep(100)
      continue
    }
    try {
      while (!isOver) {
        const at = performance.now()
        await raw.call(ApiVersions, 0, {})
        waits.openMs = Math.max(waits.openMs, performance.now() - at)
        probes++
        await Bun.sleep(10)
      }
    } catch (cause) {
      fail("an open connection")(cause)
    }
    raw.close()
  }
}
const probeNew = async () => {
  while (!isOver) {
    const at = performance.now()
    const answered = await withRaw(port, (raw) => raw.call(ApiVersions, 0, {}))
    if (answered === undefined) fail("a new connection")("was not served")
    waits.newMs = Math.max(waits.newMs, performance.now() - at)
    await Bun.sleep(100)
  }
}

const acknowledged = new Map<string, string>()
const received = new Map<string, string>()

const produce = Effect.gen(function* () {
  const producer = yield* Producer
  for (let number = 0; !isOver; number++) {
    const at = performance.now()
    const text = `message ${number}`
    // A fault of the cluster is retried by the library within its own bounds; what it gives up on is a failure of the node.
    yield* producer.sendMessage(topic, text, { key: String(number % 7) }).pipe(
      Effect.tap(({ offset, partition }) => Effect.sync(() => acknowledged.set(text, `${partition}@${offset}`))),
      Effect.catchAll((error) => Effect.sync(() => fail("the producer")(error.message)))
    )
    waits.produceMs = Math.max(waits.produceMs, performance.now() - at)
    yield* Effect.sleep(20)
  }
})
const consume = Effect.gen(function* () {
  const consumer = yield* Consumer
  yield* consumer.joinConsumerGroup("honest-readers")
  yield* consumer.subscribe(topic)
  for (;;) {
    const records = yield* Effect.catchAll(consumer.poll({ timeoutMs: 1000 }), (error) =>
      Effect.as(
        Effect.sync(() => fail("the consumer")(error.message)),
        []
      )
    )
    for (const { offset, partition, text } of records) received.set(text ?? "", `${partition}@${offset}`)
  }
})

/** Everything that is in the topic, read without a group, so that nothing is counted twice. */
const readAll = Effect.gen(function* () {
  const consumer = yield* Consumer.make({ leader })
  yield* consumer.assign([0, 1, 2].map((partition) => ({ topic, partition, at: "earliest" as const })))
  const places = new Map<string, ReadonlyArray<string>>()
  const until = performance.now() + settleWithinMs
  const isWhole = () => [...acknowledged.keys()].every((text) => places.has(text))
  for (let quiet = 0; performance.now() < until && (!isWhole() || quiet < 2); ) {
    const records = yield* consumer.poll({ timeoutMs: 500 })
    quiet = records.length === 0 ? quiet + 1 : 0
    for (const { offset, partition, text } of records) places.set(text ?? "", [...(places.get(text ?? "") ?? []), `${partition}@${offset}`])
  }
  return places
}).pipe(Effect.scoped)

const clients = Layer.merge(Producer.layer({ leader, deliveryTimeoutMs: 120_000 }), Consumer.layer({ leader, from: "earliest" }))
const program = Effect.gen(function* () {
  // The attack on settings lowers log.retention.ms for a moment, in which the node may look for what it deletes.
  yield* Effect.flatMap(Producer, (producer) => producer.addTopic(topic, { partitions: 3, configs: { "retention.ms": "-1" } }))
  const reading = yield* Effect.fork(consume)
  const sending = yield* Effect.fork(produce)
  console.error("honest clients are at work")
  yield* Effect.promise(async () => {
    for await (const _ of process.stdin);
  })
  isOver = true
  yield* Fiber.join(sending)
  const until = performance.now() + settleWithinMs
  yield* Effect.sleep(50).pipe(Effect.repeat({ while: () => received.size < acknowledged.size && performance.now() < until }))
  yield* Fiber.interrupt(reading)
  const places = yield* readAll
  const lost = [...acknowledged].filter(([text, at]) => !places.get(text)?.includes(at)).map(([text, at]) => `${text} at ${at}`)
  const twice = [...places].filter(([, at]) => at.length > 1).map(([text, at]) => `${text} at ${at.join(" and ")}`)
  const verdict: Verdict = { ...waits, probes, acknowledged: acknowledged.size, receivedByGroup: received.size, lost, twice, failures }
  console.log(JSON.stringify(verdict))
}).pipe(Effect.provide(clients), Effect.scoped)

void probeOpen()
void probeNew()
await Effect.runPromise(program).catch((cause: unknown) => {
  console.error(String(cause))
  process.exit(1)
})
process.exit(0)
