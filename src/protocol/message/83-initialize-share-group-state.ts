import { api, array, errorCode, int32, int64, nullable, struct, text, uuid, withDefault } from "../type/wire.ts"

/** Prepares the stored state of share partitions (KIP-932). Brokers only. */
export const InitializeShareGroupState = api(
  { key: 83, name: "InitializeShareGroupState", versions: [0, 0], flexible: 0 },
  {
    groupId: text,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(struct({ partition: int32, stateEpoch: int32, startOffset: int64 }))
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
