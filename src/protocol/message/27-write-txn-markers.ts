import { api, array, bool, errorCode, int8, int16, int32, int64, since, struct, text } from "../type/wire.ts"

/**
 * The coordinator writes a transaction's end into every partition that took part. Brokers only.
 *
 * Version 1 is flexible, 2 carries the transaction version (KIP-1228).
 */
export const WriteTxnMarkers = api(
  { key: 27, name: "WriteTxnMarkers", versions: [1, 2], flexible: 1 },
  {
    markers: array(
      struct({
        producerId: int64,
        producerEpoch: int16,
        transactionResult: bool,
        topics: array(struct({ name: text, partitionIndexes: array(int32) })),
        coordinatorEpoch: int32,
        transactionVersion: since(2, int8, 0, "ignorable")
      })
    )
  },
  {
    markers: array(
      struct({
        producerId: int64,
        topics: array(
          struct({
            name: text,
            partitions: array(struct({ partitionIndex: int32, errorCode }))
          })
        )
      })
    )
  }
)
