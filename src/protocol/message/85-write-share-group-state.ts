import { api, array, errorCode, int8, int16, int32, int64, nullable, since, struct, text, uuid, withDefault } from "../type/wire.ts"

/**
 * Stores what became of the records of share partitions (KIP-932). Brokers only.
 *
 * Version 1 counts completed deliveries (KIP-1226).
 */
export const WriteShareGroupState = api(
  { key: 85, name: "WriteShareGroupState", versions: [0, 1], flexible: 0 },
  {
    groupId: text,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            stateEpoch: int32,
            leaderEpoch: int32,
            startOffset: int64,
            deliveryCompleteCount: since(1, int32, -1, "ignorable"),
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
  },
  {
    results: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            errorCode,
            errorMessage: withDefault(nullable(text), null)
          })
        )
      })
    )
  }
)
