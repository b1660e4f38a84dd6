import {
  api,
  array,
  errorCode,
  int16,
  int32,
  int64,
  nullable,
  records,
  since,
  struct,
  tagged,
  text,
  until,
  uuid,
  withDefault,
  zeroOf,
  zeroUuid
} from "../type/wire.ts"

const currentLeader = struct({
  leaderId: withDefault(int32, -1),
  leaderEpoch: withDefault(int32, -1)
})

export const Produce = api(
  { key: 0, name: "Produce", versions: [3, 13], flexible: 9 },
  {
    transactionalId: withDefault(nullable(text), null),
    acks: int16,
    timeoutMs: int32,
    topicData: array(
      struct({
        name: until(12, text, "", "ignorable"),
        topicId: since(13, uuid, zeroUuid, "ignorable"),
        partitionData: array(struct({ index: int32, records: nullable(records) }))
      })
    )
  },
  {
    responses: array(
      struct({
        name: until(12, text, "", "ignorable"),
        topicId: since(13, uuid, zeroUuid, "ignorable"),
        partitionResponses: array(
          struct({
            index: int32,
            errorCode,
            baseOffset: int64,
            logAppendTimeMs: withDefault(int64, -1n),
            logStartOffset: since(5, int64, -1n, "ignorable"),
            recordErrors: since(
              8,
              array(
                struct({
                  batchIndex: int32,
                  batchIndexErrorMessage: withDefault(nullable(text), null)
                })
              ),
              [],
              "ignorable"
            ),
            errorMessage: since(8, nullable(text), null, "ignorable"),
            currentLeader: tagged(0, 10, currentLeader, zeroOf(currentLeader))
          })
        )
      })
    ),
    throttleTimeMs: withDefault(int32, 0),
    nodeEndpoints: tagged(
      0,
      10,
      array(
        struct({
          nodeId: int32,
          host: text,
          port: int32,
          rack: withDefault(nullable(text), null)
        })
      ),
      []
    )
  }
)
