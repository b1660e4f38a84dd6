import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { InitProducerId } from "../../../protocol/message/22-init-producer-id.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { CallError } from "../../error.ts"
import type { Identity } from "../accumulator/batch.ts"

/** A producer id of one's own, from whichever broker answers (KIP-98). Tried again over connection failures. */
export const acquireProducerId = (client: Client): Effect.Effect<Identity, CallError> =>
  client.persistently(
    Effect.gen(function* () {
      const answer = yield* client.callAny(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 }, { versionMax: 5 })
      yield* expectNone(kafkaError(answer.errorCode), "InitProducerId")
      return { producerId: answer.producerId, epoch: answer.producerEpoch }
    })
  )
