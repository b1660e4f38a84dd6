import { api, array, errorCode, int32, nullable, struct, text, uuid, withDefault } from "../type/wire.ts"

/** Removes the stored state of share partitions (KIP-932). Brokers only. */
export const DeleteShareGroupState = api(
  { key: 86, name: "DeleteShareGroupState", versions: [0, 0], flexible: 0 },
  {
    groupId: text,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(struct({ partition: int32 }))
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
