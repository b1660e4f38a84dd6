import { api, array, errorCode, int32, int64, struct, text } from "../type/wire.ts"

export const DeleteRecords = api(
  { key: 21, name: "DeleteRecords", versions: [0, 2], flexible: 2 },
  {
    topics: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32, offset: int64 }))
      })
    ),
    timeoutMs: int32
  },
  {
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32, lowWatermark: int64, errorCode }))
      })
    )
  }
)
