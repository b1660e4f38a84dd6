import { api, array, errorCode, int16, int32, int64, struct, text, throttleTime } from "../type/wire.ts"

/** State, producer and partitions of transactions (KIP-664). Times are ms. */
export const DescribeTransactions = api(
  { key: 65, name: "DescribeTransactions", versions: [0, 0], flexible: 0 },
  {
    transactionalIds: array(text)
  },
  {
    throttleTimeMs: throttleTime(),
    transactionStates: array(
      struct({
        errorCode,
        transactionalId: text,
        transactionState: text,
        transactionTimeoutMs: int32,
        transactionStartTimeMs: int64,
        producerId: int64,
        producerEpoch: int16,
        topics: array(struct({ topic: text, partitions: array(int32) }))
      })
    )
  }
)
