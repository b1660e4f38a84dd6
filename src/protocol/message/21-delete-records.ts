import { api, array, errorCode, int32, int64, struct, text, throttleTime } from "../type/wire.ts"

/**
 * Moves the start of partitions forward; records before `offset` are deleted (-1: everything up to the high watermark).
 *
 * Version 2 is flexible.
 */
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
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32, lowWatermark: int64, errorCode }))
      })
    )
  }
)
