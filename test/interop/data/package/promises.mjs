// Runs as a user's program without Effect: topics, messages, a handler, an error and the end of it.
import { connect } from "comanche-franz/promise"
import { startCluster } from "comanche-franz/testing"

const cluster = await startCluster()
const client = await connect({ leader: cluster.bootstrap })
await client.addTopic("orders", { partitions: 1 })
const refused = await client.addTopic("orders").catch((error) => error)
if (!(refused instanceof Error) || refused._tag !== "TopicExists") throw refused
const producer = await client.producer()
await producer.sendBatch("orders", [{ value: "one" }, { value: "two" }])
const consumer = await client.consumer({ from: "earliest" })
await consumer.joinConsumerGroup("billing")
await consumer.subscribe("orders")
const stop = new AbortController()
const texts = []
await consumer.run(
  async ({ text }) => {
    if (texts.push(text) === 2) stop.abort()
  },
  { signal: stop.signal }
)
await client.close()
await cluster.close()
console.log(`read: ${texts.join(", ")}`)
