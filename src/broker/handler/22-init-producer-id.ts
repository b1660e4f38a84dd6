import { Effect } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { ProducerId } from "../../../domain/kernel/id.ts"
import { InitProducerId } from "../../protocol/message/22-init-producer-id.ts"
import type { ResponseDraft } from "../../protocol/type/wire.ts"
import { type Handled, type Route, route } from "../../wire/route.ts"
import type { ProducerIds } from "../producer-ids.ts"

type Response = ResponseDraft<typeof InitProducerId>

const assigned = (producerId: ProducerId): Response => ({ errorCode: 0, producerId, producerEpoch: 0 })
const refused = (error: KafkaError): Response => ({ errorCode: errorCode(error), producerId: -1n, producerEpoch: -1 })

/**
 * InitProducerId: each request of an idempotent producer gets an id that no other producer has or will have, with epoch
 * 0 (KIP-98, KIP-360). A transactional id gets UNSUPPORTED_VERSION, which clients do not retry: this cluster does not
 * support transactions. An empty one gets INVALID_REQUEST, as in Kafka.
 */
export const initProducerId = (ids: ProducerIds["Type"]): Route =>
  route(InitProducerId, {}, ({ transactionalId, producerId, producerEpoch }): Handled<typeof InitProducerId> => {
    // A request has both an id and an epoch, or neither.
    if ((producerId === -1n) !== (producerEpoch === -1)) return refused("INVALID_REQUEST")
    if (transactionalId !== null) return refused(transactionalId === "" ? "INVALID_REQUEST" : "UNSUPPORTED_VERSION")
    const id = ids.take()
    return id !== undefined ? assigned(id) : Effect.match(ids.await, { onFailure: refused, onSuccess: assigned })
  })
