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
  throttleTime,
  until,
  uuid,
  withDefault,
  zeroUuid
} from "../type/wire.ts"

/**
 * The offsets that groups have stored; -1 where there is none. A null list of topics asks for all.
 *
 * Version 2 allows null and has an error for the group, 3 the throttle time, 5 leader epochs, 6 is flexible, 7 can wait for open transactions
 * (`requireStable`, KIP-447), 8 asks for many groups at once (KIP-709), 9 serves the new consumer groups (KIP-848), 10 names topics by id.
 */
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
    throttleTimeMs: throttleTime(3),
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
