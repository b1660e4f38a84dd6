import { api, array, errorCode, int8, int16, int32, int64, nullable, struct, text, uuid, withDefault } from "../type/wire.ts"

/** Reads the stored state of share partitions when their leader changes (KIP-932). Brokers only. */
export const ReadShareGroupState = api(
  { key: 84, name: "ReadShareGroupState", versions: [0, 0], flexible: 0 },
  {
    groupId: text,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(struct({ partition: int32, leaderEpoch: int32 }))
      })
    )
  },
  {
    results: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            errorCode,
            errorMessage: withDefault(nullable(text), null),
            stateEpoch: int32,
            startOffset: int64,
            stateBatches: array(
              struct({
                firstOffset: int64,
                lastOffset: int64,
                deliveryState: int8,
                deliveryCount: int16
              })
            )
          })
        )
      })
    )
  }
)
