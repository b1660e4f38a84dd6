import { api, errorCode, int16, int64, text, throttleTime } from "../type/wire.ts"

/**
 * Makes a group's offsets part of a transaction, before TxnOffsetCommit stores them.
 *
 * Version 2 may return PRODUCER_FENCED, 3 is flexible, 4 may return TRANSACTION_ABORTABLE (KIP-890).
 */
export const AddOffsetsToTxn = api(
  { key: 25, name: "AddOffsetsToTxn", versions: [0, 4], flexible: 3 },
  {
    transactionalId: text,
    producerId: int64,
    producerEpoch: int16,
    groupId: text
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode
  }
)
