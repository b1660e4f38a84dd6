import { Effect, type Scope } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { IncrementalAlterConfigs } from "../../../src/protocol/message/44-incremental-alter-configs.ts"
import type { Chance } from "../chance.ts"
import type { Recorder } from "../recorder.ts"
import { linkTo } from "./link.ts"

interface MinIsrWork {
  readonly process: string
  readonly recorder: Recorder
  readonly chance: Chance
  readonly nodes: ReadonlyArray<Address>
  readonly topics: ReadonlyArray<string>
  readonly everyMs: number
  readonly goesOn: () => boolean
}
const [topicResource, set] = [2, 0]

/** Sets `min.insync.replicas` of a topic to 1 or 2, now and then, by whichever node it asks. */
export const settingMinIsr = (work: MinIsrWork): Effect.Effect<void, never, Transport> => {
  const { chance, everyMs, goesOn, nodes, process, recorder, topics } = work
  const visit: Effect.Effect<void, unknown, Transport | Scope.Scope> = Effect.gen(function* () {
    const link = yield* linkTo(chance.pick(nodes), process)
    for (let n = 0; n < 10 && goesOn(); n++) {
      yield* Effect.sleep(chance.between(1, everyMs * 2))
      const [resourceName, value] = [chance.pick(topics), chance.pick(["1", "2"])]
      const configs = [{ name: "min.insync.replicas", configOperation: set, value }]
      const { responses } = yield* link.call(IncrementalAlterConfigs, {
        resources: [{ resourceType: topicResource, resourceName, configs }],
        validateOnly: false
      })
      recorder.say(`${process} sets min.insync.replicas of ${resourceName} to ${value}: ${kafkaError(responses[0]?.errorCode ?? -1)}`)
    }
  })
  const again: Effect.Effect<void, never, Transport> = Effect.suspend(() =>
    goesOn() ? Effect.catchAll(Effect.scoped(visit), () => Effect.sleep(100)).pipe(Effect.zipRight(again)) : Effect.void
  )
  return again
}
