import { Kafka, logLevel } from "kafkajs"
import { counting, keepCalling, messagesOfCall, task, value } from "./measured.ts"

const asked = task()
const { address, mode, topic } = asked
const kafka = new Kafka({ clientId: "bench", brokers: [address], logLevel: logLevel.NOTHING })

if (mode === "consume") {
  const consumer = kafka.consumer({ groupId: `kafkajs-${process.pid}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const count = counting(asked)
  await consumer.run({ eachBatch: async ({ batch }) => count(batch.messages.length) })
} else {
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: mode === "send" ? 1 : messagesOfCall }, () => ({ value }))
  await keepCalling(asked, () => producer.send({ topic, acks: 1, messages }))
  process.exit(0)
}
