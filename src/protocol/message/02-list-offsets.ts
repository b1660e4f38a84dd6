import { api, array, errorCode, int8, int32, int64, since, struct, text, withDefault } from "../type/wire.ts"

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
    throttleTimeMs: since(2, int32, 0, "ignorable"),
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
