import { Consumer, ProduceAcks, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka"
import { counting, keepCalling, messagesOfCall, task, value } from "./measured.ts"

const asked = task()
const { address, mode, topic } = asked
const base = { clientId: "bench", bootstrapBrokers: [address] }

if (mode === "consume") {
  const consumer = new Consumer({ ...base, groupId: `platformatic-${process.pid}`, deserializers: stringDeserializers })
  const stream = await consumer.consume({ topics: [topic], mode: "earliest" })
  const count = counting(asked)
  stream.on("data", () => count(1))
} else {
  const producer = new Producer({ ...base, serializers: stringSerializers, acks: ProduceAcks.LEADER })
  const messages = Array.from({ length: mode === "send" ? 1 : messagesOfCall }, () => ({ topic, value }))
  await keepCalling(asked, () => producer.send({ messages }))
  process.exit(0)
}
