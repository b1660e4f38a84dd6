import { Effect } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { InitProducerId } from "../../protocol/message/22-init-producer-id.ts"
import { type Route, route } from "../../wire/route.ts"
import type { LeaderContext } from "../context.ts"

const refused = (error: KafkaError) => ({ errorCode: errorCode(error), producerId: -1n, producerEpoch: -1 })

/**
 * InitProducerId 0-5 for idempotent producers: a new id each time, with epoch 0, whatever id the producer had before (KIP-360). Transactions are not
 * built: a transactional id gets UNSUPPORTED_VERSION, which no client repeats.
 */
export const initProducerId = (leader: LeaderContext["Type"]): Route =>
  route(InitProducerId, {}, ({ transactionalId, producerId, producerEpoch }) => {
    // A producer has both an id and an epoch, or neither.
    if (transactionalId === "" || (producerId === -1n) !== (producerEpoch === -1)) return refused("INVALID_REQUEST")
    if (transactionalId !== null) return refused("UNSUPPORTED_VERSION")
    return Effect.match(leader.producerIds.next, {
      onSuccess: (producerId) => ({ errorCode: 0, producerId, producerEpoch: 0 }),
      onFailure: ({ error }) => refused(error)
    })
  })
