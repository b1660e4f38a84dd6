/** The tasks of measured.ts with @confluentinc/kafka-javascript, under Node. Found over NODE_PATH: the lock file cannot pin the binary that its installation brings. */
import { createRequire } from "node:module"
import { counting, keepCalling, messagesOfCall, task, value } from "./measured.ts"

/** What is used of the package, which need not be installed where this is compiled. */
interface Library {
  readonly KafkaJS: {
    readonly logLevel: { readonly NOTHING: number }
    readonly Kafka: new (
      options: object
    ) => {
      readonly producer: (options: object) => {
        readonly connect: () => Promise<void>
        readonly send: (record: object) => Promise<unknown>
      }
      readonly consumer: (options: object) => {
        readonly connect: () => Promise<void>
        readonly subscribe: (topics: object) => Promise<void>
        readonly run: (handlers: {
          readonly eachBatch: (of: { readonly batch: { readonly messages: ReadonlyArray<unknown> } }) => Promise<void>
        }) => Promise<void>
      }
    }
  }
}
const { KafkaJS } = createRequire(import.meta.url)("@confluentinc/kafka-javascript") as Library

const asked = task()
const { address, mode, topic } = asked
const kafka = new KafkaJS.Kafka({ kafkaJS: { clientId: "bench", brokers: [address], logLevel: KafkaJS.logLevel.NOTHING } })

if (mode === "consume") {
  const consumer = kafka.consumer({ kafkaJS: { groupId: `confluent-${process.pid}`, fromBeginning: true }, "js.consumer.max.batch.size": -1 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic] })
  const count = counting(asked)
  await consumer.run({ eachBatch: async ({ batch }) => count(batch.messages.length) })
} else {
  const producer = kafka.producer({ kafkaJS: { acks: 1 } })
  await producer.connect()
  const messages = Array.from({ length: mode === "send" ? 1 : messagesOfCall }, () => ({ value }))
  await keepCalling(asked, () => producer.send({ topic, messages }))
  process.exit(0)
}
