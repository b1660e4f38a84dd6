import { api, bool, errorCode, int16, int32, int64, nullable, since, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Gives a producer its id and epoch, with which the log tells repeated and lost batches apart (KIP-98). With a transactional id it also fences the id's
 * former owner.
 *
 * Version 2 is flexible, 3 lets a producer keep its id with a new epoch (KIP-360), 4 may return PRODUCER_FENCED, 5 TRANSACTION_ABORTABLE (KIP-890), 6
 * prepares for two-phase commit (KIP-939) and is not stable yet.
 */
export const InitProducerId = api(
  { key: 22, name: "InitProducerId", versions: [0, 6], flexible: 2, latestStable: 5 },
  {
    transactionalId: nullable(text),
    transactionTimeoutMs: int32,
    producerId: since(3, int64, -1n),
    producerEpoch: since(3, int16, -1),
    enable2Pc: since(6, bool, false),
    keepPreparedTxn: since(6, bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    producerId: withDefault(int64, -1n),
    producerEpoch: int16,
    ongoingTxnProducerId: since(6, int64, -1n),
    ongoingTxnProducerEpoch: since(6, int16, -1)
  }
)
