import { api, array, errorCode, int32, int64, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Where a leader epoch ended: what a follower or consumer needs to find out whether its log has diverged (KIP-101, KIP-320).
 *
 * Version 2 fences by the caller's epoch and returns the throttle time, 3 says which replica asks (-1 a consumer, -2 a debugger), 4 is flexible.
 */
export const OffsetForLeaderEpoch = api(
  { key: 23, name: "OffsetForLeaderEpoch", versions: [2, 4], flexible: 4 },
  {
    replicaId: since(3, int32, -2, "ignorable"),
    topics: array(
      struct({
        topic: text,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: withDefault(int32, -1),
            leaderEpoch: int32
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    topics: array(
      struct({
        topic: text,
        partitions: array(
          struct({
            errorCode,
            partition: int32,
            leaderEpoch: withDefault(int32, -1),
            endOffset: withDefault(int64, -1n)
          })
        )
      })
    )
  }
)
