// Runs as a user's program: a cluster, and messages in each codec to it and back.
import { Consumer, Producer } from "comanche-franz"
import { startCluster } from "comanche-franz/testing"
import { Chunk, Effect, Stream } from "effect"

const cluster = await startCluster({ brokers: 2 })
const leader = cluster.bootstrap
const codecs = ["none", "gzip", "snappy", "lz4"]

const send = (codec) =>
  Effect.gen(function* () {
    const producer = yield* Producer
    yield* producer.addTopic(codec, { partitions: 1 })
    yield* Effect.forEach(
      Array.from({ length: 50 }, (_, i) => `${codec} ${i} ${"x".repeat(100)}`),
      (text) => producer.sendMessage(codec, text),
      {
        concurrency: "unbounded"
      }
    )
  }).pipe(Effect.provide(Producer.layer({ leader, compression: codec })))

const read = Effect.gen(function* () {
  const consumer = yield* Consumer
  yield* consumer.assign(codecs.map((topic) => ({ topic, partition: 0, at: "earliest" })))
  const messages = yield* Stream.repeatEffect(consumer.poll({ timeoutMs: 30_000 })).pipe(
    Stream.mapConcat((polled) => polled),
    Stream.take(50 * codecs.length),
    Stream.runCollect
  )
  return new Set(Chunk.toReadonlyArray(messages).map(({ text }) => text)).size
}).pipe(Effect.provide(Consumer.layer({ leader })))

const count = await Effect.runPromise(Effect.forEach(codecs, send).pipe(Effect.zipRight(read)))
await cluster.close()
console.log(`read: ${count}`)
