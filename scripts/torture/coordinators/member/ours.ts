/**
 * `bun scripts/torture/coordinators/member/ours.ts BOOTSTRAP TOPIC GROUP MEMBERS`: members of our library.
 * Prints the lines that `scripts/torture/coordinators/member-line.ts` describes, and ends with its standard input.
 */
import { Effect, Logger, LogLevel, Metric, MetricState, Stream } from "effect"
import { Consumer } from "../../../../src/programs/library.ts"

const [bootstrap = "", topic = "", group = "", members = ""] = process.argv.slice(2)
const requestTimeoutMs = 5000
const patienceMs = 300_000
const sessionTimeoutMs = 120_000
const pollMs = 100

process.stdin.on("end", () => process.exit(0)).resume()
const print = (...fields: ReadonlyArray<string | number>): void => void process.stdout.write(`${fields.join("\t")}\n`)
process.on("unhandledRejection", (cause) => print("!", `unhandled rejection: ${String(cause)}`))

/** How often members of this process have joined. */
const joins = (): number => {
  for (const { metricKey, metricState } of Metric.unsafeSnapshot()) {
    const isOfGroup = metricKey.name === "franz_client_rebalances_total" && metricKey.tags.some(({ value }) => value === group)
    if (isOfGroup && MetricState.isCounterState(metricState)) return Number(metricState.count)
  }
  return 0
}

const member = (nth: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const consumer = yield* Consumer.make({
        leader: bootstrap.split(","),
        clientId: `ours-${nth}`,
        requestTimeoutMs,
        retryTimeoutMs: patienceMs,
        from: "earliest",
        commitIntervalMs: "never"
      })
      const told = Stream.runForEach(consumer.events, (event) =>
        Effect.sync(() => {
          if (event._tag === "PartitionsAssigned") print("g", Date.now(), nth, event.partitions.map(({ partition }) => partition).join())
          else if (event._tag === "PartitionsRevoked" || event._tag === "PartitionsLost" || event._tag === "Rejoining")
            print("v", Date.now(), nth, JSON.stringify(event))
          else if (event._tag === "OffsetsCommitted") {
            // What was committed for sure: a member without partitions commits nothing, and has success.
            if (event.offsets.length > 0) print("c", Date.now(), nth, joins(), event.offsets.map(({ offset, partition }) => `${partition}:${offset}`).join())
          } else print("?", JSON.stringify(event))
        })
      )
      yield* Effect.forkScoped(told)
      yield* consumer.joinConsumerGroup(group, { sessionTimeoutMs })
      yield* consumer.subscribe(topic)
      let isBehind = false
      for (;;) {
        const polled = yield* Effect.either(consumer.poll({ timeoutMs: pollMs }))
        if (polled._tag === "Left") {
          const { left } = polled
          print(left.retriable ? "?" : "!", `${left._tag}: ${left.message}`)
          yield* Effect.sleep(200)
          continue
        }
        for (const { offset, partition } of polled.right) {
          print("r", nth, partition, offset)
          isBehind = true
        }
        if (!isBehind) continue
        const outcome = yield* Effect.either(consumer.commit)
        if (outcome._tag === "Left") print(outcome.left.retriable ? "e" : "!", Date.now(), nth, `${outcome.left._tag}: ${outcome.left.message}`)
        else isBehind = false
      }
    })
  )

const all = Effect.all(
  Array.from({ length: Number(members) }, (_, nth) => member(nth)),
  { concurrency: "unbounded", discard: true }
)
// The log would go to the standard output, which has the lines.
await Effect.runPromise(Logger.withMinimumLogLevel(all, LogLevel.None)).catch((cause) => {
  print("!", String(cause).replaceAll("\n", " "))
  process.exit(3)
})
