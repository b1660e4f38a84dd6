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
  throttleTime,
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

/**
 * A producer appends record batches to partitions. `acks` is -1 for all in-sync replicas, 1 for the leader alone, 0 for no response at all. Records are whole
 * batches of magic 2, untouched by the codec.
 *
 * From version 3 on record batches have magic 2 (KIP-98). Version 5 returns the log's start offset, 7 allows zstd (KIP-110), 8 names the records that
 * spoilt a batch (KIP-467), 9 is flexible, 10 tells the new leader (KIP-951), 11 may return TRANSACTION_ABORTABLE and 12 adds partitions to the transaction
 * by itself (both KIP-890), 13 names topics by id (KIP-516). Brokers advertise version 0 as the first, since older librdkafka looks for it, and refuse 0 to
 * 2.
 */
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
    throttleTimeMs: throttleTime(),
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
