// A codec that the runtime lacks is refused when the producer is made, and named when a batch is read.
import { Consumer, Producer } from "comanche-franz"
import { Effect } from "effect"

const leader = process.env.FRANZ_LEADER
const refused = Effect.provide(Effect.void, Producer.layer({ leader, compression: "zstd" }))
const read = Effect.gen(function* () {
  const consumer = yield* Consumer
  yield* consumer.assign([{ topic: "compressed", partition: 0, at: "earliest" }])
  yield* consumer.poll({ timeoutMs: 30_000 })
}).pipe(Effect.provide(Consumer.layer({ leader })))
for (const program of [refused, read]) console.log((await Effect.runPromise(Effect.flip(program))).message)
