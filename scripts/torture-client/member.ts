/**
 * `bun scripts/torture-client/member.ts LEADER TOPIC GROUP SESSION_TIMEOUT_MS REBALANCE_TIMEOUT_MS`: one member of a group. Prints the value of each message on
 * a line of its own before the next poll commits it, and what happens to the member on lines that begin with "?".
 */
import { Effect, Stream } from "effect"
import { Consumer } from "../../src/programs/library.ts"

const [leader = "", topic = "", group = "", sessionTimeoutMs, rebalanceTimeoutMs] = process.argv.slice(2)
process.on("unhandledRejection", (cause) => {
  console.log(`! unhandled rejection: ${String(cause)}`)
  process.exit(3)
})

const run = Effect.gen(function* () {
  const consumer = yield* Consumer.make({ leader, from: "earliest", requestTimeoutMs: 5000 })
  const told = Stream.runForEach(consumer.events, ({ _tag, ...rest }) => Effect.sync(() => console.log(`? ${_tag} ${JSON.stringify(rest)}`)))
  yield* Effect.forkScoped(told)
  yield* consumer.joinConsumerGroup(group, { sessionTimeoutMs: Number(sessionTimeoutMs), rebalanceTimeoutMs: Number(rebalanceTimeoutMs) })
  yield* consumer.subscribe(topic)
  for (;;) {
    const polled = yield* Effect.either(consumer.poll())
    if (polled._tag === "Left") {
      console.log(`? ${polled.left._tag}: ${polled.left.message}`)
      yield* Effect.sleep(500)
      continue
    }
    if (polled.right.length > 0) process.stdout.write(polled.right.map(({ text }) => `${text}\n`).join(""))
  }
})
const again = Effect.retry(Effect.scoped(run), { while: ({ retriable }) => retriable })
await Effect.runPromise(again)
