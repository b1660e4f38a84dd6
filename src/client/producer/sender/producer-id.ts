import { Effect } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { InitProducerId } from "../../../protocol/message/22-init-producer-id.ts"
import { type Client, expectNone } from "../../cluster/client.ts"
import type { CallError } from "../../error.ts"
import type { ProducerIdAndEpoch } from "../accumulator/batch.ts"

/** The last version that a producer without transactions needs. */
const versionMax = 5

/** Requests a new producer id from any broker (KIP-98). Retried while nodes are unreachable. */
export const requestProducerId = (client: Client): Effect.Effect<ProducerIdAndEpoch, CallError> =>
  client.persistently(
    Effect.gen(function* () {
      const response = yield* client.callAny(InitProducerId, { transactionalId: null, transactionTimeoutMs: 0 }, { versionMax })
      yield* expectNone(kafkaError(response.errorCode), "InitProducerId")
      return { producerId: response.producerId, epoch: response.producerEpoch }
    })
  )
