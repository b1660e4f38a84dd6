import { api, bool, errorCode, int16, int64, since, text, throttleTime } from "../type/wire.ts"

/**
 * Commits or aborts a transaction.
 *
 * Version 2 may return PRODUCER_FENCED, 3 is flexible, 4 TRANSACTION_ABORTABLE, 5 raises the epoch with each transaction and returns the new one
 * (KIP-890).
 */
export const EndTxn = api(
  { key: 26, name: "EndTxn", versions: [0, 5], flexible: 3 },
  {
    transactionalId: text,
    producerId: int64,
    producerEpoch: int16,
    committed: bool
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    producerId: since(5, int64, -1n, "ignorable"),
    producerEpoch: since(5, int16, -1, "ignorable")
  }
)
