import { api, array, errorCode, int32, int64, nullable, since, struct, text, uuid, withDefault } from "../type/wire.ts"

/**
 * Reads the start offsets of share partitions without their batches (KIP-932). Brokers only.
 *
 * Version 1 counts completed deliveries (KIP-1226).
 */
export const ReadShareGroupStateSummary = api(
  { key: 87, name: "ReadShareGroupStateSummary", versions: [0, 1], flexible: 0 },
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
            leaderEpoch: int32,
            startOffset: int64,
            deliveryCompleteCount: since(1, int32, -1, "ignorable")
          })
        )
      })
    )
  }
)
