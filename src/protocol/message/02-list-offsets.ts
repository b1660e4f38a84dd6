import { api, array, errorCode, int8, int32, int64, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * The offset of the first record at or after a timestamp in ms, or one of the special places: -1 the end, -2 the start, -3 the record with the greatest
 * timestamp, -4 the local start, -5 the last offset in tiered storage, -6 the first that waits for upload.
 *
 * Version 1 gives one offset and its timestamp, 2 has the isolation level, 4 leader epochs, 5 OFFSET_NOT_AVAILABLE, 6 is flexible, 7 adds -3 (KIP-734), 8
 * adds -4 (KIP-405), 9 adds -5 (KIP-1005), 10 a timeout for remote storage (KIP-1075), 11 adds -6 (KIP-1023).
 */
export const ListOffsets = api(
  { key: 2, name: "ListOffsets", versions: [1, 11], flexible: 6 },
  {
    replicaId: int32,
    isolationLevel: since(2, int8, 0),
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            currentLeaderEpoch: since(4, int32, -1, "ignorable"),
            timestamp: int64
          })
        )
      })
    ),
    timeoutMs: since(10, int32, 0, "ignorable")
  },
  {
    throttleTimeMs: throttleTime(2),
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            timestamp: withDefault(int64, -1n),
            offset: withDefault(int64, -1n),
            leaderEpoch: since(4, int32, -1)
          })
        )
      })
    )
  }
)
