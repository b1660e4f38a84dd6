import {
  api,
  array,
  between,
  bool,
  errorCode,
  int32,
  int64,
  nullable,
  nullableSince,
  since,
  struct,
  text,
  until,
  uuid,
  withDefault,
  zeroUuid
} from "../type/wire.ts"

export const OffsetFetch = api(
  { key: 9, name: "OffsetFetch", versions: [1, 10], flexible: 6 },
  {
    groupId: until(7, text, ""),
    topics: until(7, nullableSince(2, array(struct({ name: text, partitionIndexes: array(int32) }))), []),
    groups: since(
      8,
      array(
        struct({
          groupId: text,
          memberId: since(9, nullable(text), null, "ignorable"),
          memberEpoch: since(9, int32, -1, "ignorable"),
          topics: nullable(
            array(
              struct({
                name: until(9, text, "", "ignorable"),
                topicId: since(10, uuid, zeroUuid, "ignorable"),
                partitionIndexes: array(int32)
              })
            )
          )
        })
      ),
      []
    ),
    requireStable: since(7, bool, false)
  },
  {
    throttleTimeMs: since(3, int32, 0, "ignorable"),
    topics: until(
      7,
      array(
        struct({
          name: text,
          partitions: array(
            struct({
              partitionIndex: int32,
              committedOffset: int64,
              committedLeaderEpoch: since(5, int32, -1, "ignorable"),
              metadata: nullable(text),
              errorCode
            })
          )
        })
      ),
      []
    ),
    errorCode: between(2, 7, errorCode, 0, "ignorable"),
    groups: since(
      8,
      array(
        struct({
          groupId: text,
          topics: array(
            struct({
              name: until(9, text, "", "ignorable"),
              topicId: since(10, uuid, zeroUuid, "ignorable"),
              partitions: array(
                struct({
                  partitionIndex: int32,
                  committedOffset: int64,
                  committedLeaderEpoch: withDefault(int32, -1),
                  metadata: nullable(text),
                  errorCode
                })
              )
            })
          ),
          errorCode: withDefault(errorCode, 0)
        })
      ),
      []
    )
  }
)
