import { Effect, type Scope } from "effect"
import { Producer } from "../../../src/client/producer/producer.ts"
import type { Chance } from "../chance.ts"
import type { Recorder } from "../recorder.ts"
import type { Platform } from "../world/host.ts"
import { outcomeOf } from "./shared.ts"

interface AdminWork {
  readonly process: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly bootstrap: string
  readonly number: () => number
  readonly goesOn: () => boolean
}

/** Errors after which the command may have been carried out. */
const isUnknown = ({ _tag }: { readonly _tag: string }): boolean => _tag === "NotReachable" || _tag === "RequestTimedOut" || _tag === "KafkaFailure"

/** Makes topics and removes some of them: names that no other client uses. */
export const administrating = (work: AdminWork): Effect.Effect<void, unknown, Platform | Scope.Scope> =>
  Effect.gen(function* () {
    const { bootstrap, chance, goesOn, number, process, recorder } = work
    const client = yield* Producer.make({ leader: bootstrap, clientId: process, requestTimeoutMs: 2000, connectTimeoutMs: 1000, retryTimeoutMs: 8000 })
    const made: Array<string> = []
    while (goesOn()) {
      yield* Effect.sleep(chance.between(50, 1500))
      const gone = chance.isTrue(0.4) ? made.shift() : undefined
      if (gone !== undefined) {
        const complete = recorder.invoke(recorder.topics, process, { action: "remove", topic: gone })
        const outcome = outcomeOf(yield* Effect.exit(client.removeTopic(gone)), () => "", isUnknown)
        recorder.say(`${process} removes ${gone}: ${outcome._tag === "ok" ? "ok" : outcome.error}`)
        complete(outcome)
        continue
      }
      const topic = `scratch.${number()}`
      const complete = recorder.invoke(recorder.topics, process, { action: "add", topic })
      const outcome = outcomeOf(yield* Effect.exit(client.addTopic(topic, { partitions: chance.between(1, 3) })), ({ topicId }) => topicId, isUnknown)
      recorder.say(`${process} adds ${topic}: ${outcome._tag === "ok" ? outcome.value : outcome.error}`)
      complete(outcome)
      if (outcome._tag === "ok") made.push(topic)
    }
  })
