import { api, array, errorCode, int64, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The transactions that this node coordinates, filtered by state and producer (KIP-664).
 *
 * Version 1 filters by age in ms (KIP-994), 2 by a pattern of ids (KIP-1152).
 */
export const ListTransactions = api(
  { key: 66, name: "ListTransactions", versions: [0, 2], flexible: 0 },
  {
    stateFilters: array(text),
    producerIdFilters: array(int64),
    durationFilter: since(1, int64, -1n),
    transactionalIdPattern: since(2, nullable(text), null)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    unknownStateFilters: array(text),
    transactionStates: array(struct({ transactionalId: text, producerId: int64, transactionState: text }))
  }
)
