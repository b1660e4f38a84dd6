/**
 * `bun scripts/torture/client/ours.ts BOOTSTRAP TOPIC PARTITIONS PER_SECOND NAME`: a producer and a reader of our library.
 * Prints the lines that `scripts/torture/client-line.ts` describes. "stop" on the standard input ends the sending.
 */
import { Effect, Fiber } from "effect"
import { Consumer, Producer, type ProducerService } from "../../../src/programs/library.ts"

const [bootstrap = "", topic = "", partitionCount = "", perSecond = "", name = ""] = process.argv.slice(2)
const partitions = Number(partitionCount)
/** Messages without an outcome: the sender waits while there are more. */
const outstandingMax = 20_000
const requestTimeoutMs = 5000
const patienceMs = 300_000

let sends = true
let pending = ""
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  pending += text
  if (pending.includes("stop\n")) sends = false
})
process.stdin.on("end", () => process.exit(0))
process.on("unhandledRejection", (cause) => print("!", `unhandled rejection: ${String(cause)}`))
const print = (...fields: ReadonlyArray<string | number>): void => void process.stdout.write(`${fields.join("\t")}\n`)

const leader = bootstrap.split(",")
let outstanding = 0
const sendOne = (producer: ProducerService, nth: number) =>
  Effect.suspend(() => {
    const value = `${name}/${nth}`
    const partition = nth % partitions
    outstanding += 1
    print("s", Date.now(), partition, value)
    return Effect.match(producer.sendMessage(topic, value, { partition }), {
      onSuccess: ({ offset }) => {
        outstanding -= 1
        print("a", Date.now(), partition, offset, value)
      },
      onFailure: ({ _tag, message }) => {
        outstanding -= 1
        print(_tag === "OutcomeUnknown" ? "u" : "f", Date.now(), value, `${_tag}: ${message}`)
      }
    })
  })

const sending = Effect.scoped(
  Effect.gen(function* () {
    const producer = yield* Producer.make({
      leader,
      clientId: name,
      requestTimeoutMs,
      deliveryTimeoutMs: patienceMs,
      bufferTimeoutMs: patienceMs,
      createTopics: false
    })
    const from = performance.now()
    for (let nth = 0; sends; ) {
      const due = Math.floor(((performance.now() - from) / 1000) * Number(perSecond))
      for (; nth < due && outstanding < outstandingMax; nth++) yield* Effect.fork(sendOne(producer, nth))
      yield* Effect.sleep(5)
    }
    yield* producer.flush
    while (outstanding > 0) yield* Effect.sleep(20)
    print("d")
  })
)

const reading = Effect.scoped(
  Effect.gen(function* () {
    const consumer = yield* Consumer.make({ leader, clientId: `${name}-reader`, requestTimeoutMs, retryTimeoutMs: patienceMs })
    yield* consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition, at: "earliest" as const })))
    for (;;) {
      const polled = yield* Effect.either(consumer.poll({ timeoutMs: 500 }))
      if (polled._tag === "Right") for (const { offset, partition, text } of polled.right) print("r", partition, offset, text)
      else if (polled.left.retriable) print("?", `${polled.left._tag}: ${polled.left.message}`)
      else print("!", `the reader failed: ${polled.left._tag}: ${polled.left.message}`)
      if (polled._tag === "Left") yield* Effect.sleep(200)
    }
  })
)

const both = Effect.gen(function* () {
  const reader = yield* Effect.fork(reading)
  yield* sending
  yield* Fiber.join(reader)
})
await Effect.runPromise(both).catch((cause) => {
  print("!", String(cause).replaceAll("\n", " "))
  process.exit(3)
})
