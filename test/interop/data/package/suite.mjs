// What a user's test does, in the runner whose `test` is given.
import { Consumer, Producer } from "comanche-franz"
import { TestCluster } from "comanche-franz/testing"
import { Effect } from "effect"

const program = Effect.gen(function* () {
  const { bootstrap } = yield* TestCluster
  return yield* Effect.gen(function* () {
    const producer = yield* Producer
    const consumer = yield* Consumer
    yield* producer.addTopic("tested")
    yield* consumer.joinConsumerGroup("testers")
    yield* consumer.subscribe("tested")
    yield* producer.sendMessage("tested", "in a test")
    return (yield* consumer.poll({ timeoutMs: 30_000 })).map(({ text }) => text).join()
  }).pipe(Effect.provide([Producer.layer({ leader: bootstrap }), Consumer.layer({ leader: bootstrap, from: "earliest" })]))
})

export const inATest = async () => {
  const text = await Effect.runPromise(program.pipe(Effect.provide(TestCluster.layer())))
  if (text !== "in a test") throw new Error(`read ${JSON.stringify(text)}`)
}
