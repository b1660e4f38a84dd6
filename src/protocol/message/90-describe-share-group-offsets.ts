import { api, array, errorCode, int32, int64, nullable, since, struct, text, throttleTime, uuid, withDefault } from "../type/wire.ts"

/**
 * The start offsets of share groups (KIP-932). Null topics ask for all.
 *
 * Version 1 adds the lag (KIP-1226).
 */
export const DescribeShareGroupOffsets = api(
  { key: 90, name: "DescribeShareGroupOffsets", versions: [0, 1], flexible: 0 },
  {
    groups: array(
      struct({
        groupId: text,
        topics: nullable(array(struct({ topicName: text, partitions: array(int32) })))
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    groups: array(
      struct({
        groupId: text,
        topics: array(
          struct({
            topicName: text,
            topicId: uuid,
            partitions: array(
              struct({
                partitionIndex: int32,
                startOffset: int64,
                leaderEpoch: int32,
                lag: since(1, int64, -1n, "ignorable"),
                errorCode,
                errorMessage: withDefault(nullable(text), null)
              })
            )
          })
        ),
        errorCode,
        errorMessage: withDefault(nullable(text), null)
      })
    )
  }
)
