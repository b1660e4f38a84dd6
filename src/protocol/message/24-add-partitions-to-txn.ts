import { api, array, bool, errorCode, int16, int32, int64, since, struct, text, throttleTime, until, withDefault } from "../type/wire.ts"

const addPartitionsToTxnTopic = struct({ name: text, partitions: array(int32) })

const addPartitionsToTxnPartitionResult = struct({ partitionIndex: int32, partitionErrorCode: errorCode })

const addPartitionsToTxnTopicResult = struct({
  name: text,
  resultsByPartition: array(addPartitionsToTxnPartitionResult)
})

/**
 * Tells the transaction's coordinator which partitions will be written, before they are.
 *
 * Version 2 may return PRODUCER_FENCED, 3 is flexible, 4 is for brokers only: many transactions at once, and asking without adding (KIP-890), 5 may return
 * TRANSACTION_ABORTABLE. Clients stay at 3.
 */
export const AddPartitionsToTxn = api(
  { key: 24, name: "AddPartitionsToTxn", versions: [0, 5], flexible: 3 },
  {
    transactions: since(
      4,
      array(
        struct({
          transactionalId: text,
          producerId: int64,
          producerEpoch: int16,
          verifyOnly: withDefault(bool, false),
          topics: array(addPartitionsToTxnTopic)
        })
      ),
      []
    ),
    v3AndBelowTransactionalId: until(3, text, ""),
    v3AndBelowProducerId: until(3, int64, 0n),
    v3AndBelowProducerEpoch: until(3, int16, 0),
    v3AndBelowTopics: until(3, array(addPartitionsToTxnTopic), [])
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode: since(4, errorCode, 0, "ignorable"),
    resultsByTransaction: since(
      4,
      array(
        struct({
          transactionalId: text,
          topicResults: array(addPartitionsToTxnTopicResult)
        })
      ),
      []
    ),
    resultsByTopicV3AndBelow: until(3, array(addPartitionsToTxnTopicResult), [])
  }
)
