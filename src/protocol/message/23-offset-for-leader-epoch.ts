import { api, array, errorCode, int32, int64, since, struct, text, withDefault } from "../type/wire.ts"

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
    throttleTimeMs: int32,
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
