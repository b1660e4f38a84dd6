import { api, array, errorCode, int32, int64, nullable, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

/** Sets the start offsets of a share group without members (KIP-932). */
export const AlterShareGroupOffsets = api(
  { key: 91, name: "AlterShareGroupOffsets", versions: [0, 0], flexible: 0 },
  {
    groupId: text,
    topics: array(
      struct({
        topicName: text,
        partitions: array(struct({ partitionIndex: int32, startOffset: int64 }))
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: withDefault(nullable(text), null),
    responses: array(
      struct({
        topicName: text,
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            errorMessage: withDefault(nullable(text), null)
          })
        )
      })
    )
  }
)
