import { api, array, errorCode, int32, struct, text } from "../type/wire.ts"

export const OffsetDelete = api(
  { key: 47, name: "OffsetDelete", versions: [0, 0] },
  {
    groupId: text,
    topics: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32 }))
      })
    )
  },
  {
    errorCode,
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32, errorCode }))
      })
    )
  }
)
