import { api, array, errorCode, int32, int64, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/** The producers that are active in partitions, with their epochs and open transactions (KIP-664). */
export const DescribeProducers = api(
  { key: 61, name: "DescribeProducers", versions: [0, 0], flexible: 0 },
  {
    topics: array(struct({ name: text, partitionIndexes: array(int32) }))
  },
  {
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            errorMessage: withDefault(nullable(text), null),
            activeProducers: array(
              struct({
                producerId: int64,
                producerEpoch: int32,
                lastSequence: withDefault(int32, -1),
                lastTimestamp: withDefault(int64, -1n),
                coordinatorEpoch: int32,
                currentTxnStartOffset: withDefault(int64, -1n)
              })
            )
          })
        )
      })
    )
  }
)
