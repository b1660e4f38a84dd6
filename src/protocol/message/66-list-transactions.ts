import { api, array, errorCode, int32, int64, nullable, since, struct, text } from "../type/wire.ts"

export const ListTransactions = api(
  { key: 66, name: "ListTransactions", versions: [0, 2], flexible: 0 },
  {
    stateFilters: array(text),
    producerIdFilters: array(int64),
    durationFilter: since(1, int64, -1n),
    transactionalIdPattern: since(2, nullable(text), null)
  },
  {
    throttleTimeMs: int32,
    errorCode,
    unknownStateFilters: array(text),
    transactionStates: array(struct({ transactionalId: text, producerId: int64, transactionState: text }))
  }
)
