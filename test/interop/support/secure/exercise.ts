import { Effect } from "effect"
import type { ConnectionOptions } from "../../../../src/client/options.ts"
import { Admin, Consumer, Producer } from "../../../../src/programs/library.ts"

/** Creates a topic, sends messages to it, reads them as a member of a group, and describes and deletes both: what a client does, over one listener. */
export const exercise = (connection: ConnectionOptions, name: string, messages = 200) =>
  Effect.scoped(
    Effect.gen(function* () {
      const admin = yield* Admin.make(connection)
      yield* admin.addTopic(name, { partitions: 3 })
      const producer = yield* Producer.make({ ...connection, compression: "gzip" })
      yield* Effect.forEach(
        Array.from({ length: messages }, (_, n) => n),
        (n) => producer.sendMessage(name, `message ${n}`, { key: `key ${n % 17}` }),
        {
          concurrency: 50,
          discard: true
        }
      )
      const consumer = yield* Consumer.make({ ...connection, from: "earliest" })
      yield* consumer.joinConsumerGroup(`${name}-readers`)
      yield* consumer.subscribe(name)
      const read = new Set<string>()
      while (read.size < messages) for (const { text } of yield* consumer.poll({ timeoutMs: 1000 })) read.add(text ?? "")
      yield* consumer.commit
      yield* consumer.leaveConsumerGroup
      const group = yield* admin.describeGroup(`${name}-readers`)
      yield* admin.deleteGroup(`${name}-readers`)
      yield* admin.removeTopic(name)
      return { read: read.size, committed: group.offsets.reduce((sum, { committed }) => sum + committed, 0) }
    })
  )
