import { Effect } from "effect"
import { Consumer, Producer } from "../../../src/programs/library.ts"
import { connect } from "../../../src/programs/promise.ts"
import { counting, keepCalling, messagesOfCall, task, value } from "./measured.ts"

const asked = task()
const options = { leader: asked.address }
const many = Array.from({ length: messagesOfCall }, () => ({ value }))

const produce = Effect.gen(function* () {
  const producer = yield* Producer.make({ ...options, acks: 1 })
  const failed = (cause: unknown) => {
    throw cause
  }
  const batch = () =>
    new Promise<void>((resolve, reject) => {
      let left = many.length
      const settled = (_: number, outcome: { readonly _tag: string }) => {
        if (outcome._tag === "Left") reject(new Error(JSON.stringify(outcome)))
        else if (--left === 0) resolve()
      }
      Effect.runPromise(producer.sendMessages(asked.topic, many, settled)).catch(reject)
    })
  yield* Effect.tryPromise({ try: () => keepCalling(asked, batch), catch: failed })
})

/** With promises, as the other clients of TypeScript have them. */
const send = async () => {
  const producer = await (await connect(options)).producer({ acks: 1 })
  await keepCalling(asked, () => producer.sendMessage(asked.topic, value))
}

const consume = Effect.gen(function* () {
  const consumer = yield* Consumer.make({ ...options, from: "earliest" })
  yield* consumer.joinConsumerGroup(`ours-${process.pid}`)
  yield* consumer.subscribe(asked.topic)
  const count = counting(asked)
  yield* Effect.forever(Effect.map(consumer.poll(), ({ length }) => length > 0 && count(length)))
})

if (asked.mode === "send") await send()
else await Effect.runPromise(Effect.scoped(asked.mode === "consume" ? consume : produce))
process.exit(0)
