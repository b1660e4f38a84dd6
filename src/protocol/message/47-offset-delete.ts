import { api, array, errorCode, int32, struct, text, throttleTime } from "../type/wire.ts"

/** Removes a group's offsets of topics that it no longer subscribes to (KIP-496). It is never flexible. */
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
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        name: text,
        partitions: array(struct({ partitionIndex: int32, errorCode }))
      })
    )
  }
)
