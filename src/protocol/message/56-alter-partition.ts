import { api, array, errorCode, int8, int32, int64, since, struct, throttleTime, until, uuid, withDefault } from "../type/wire.ts"

/**
 * A partition's leader proposes a new in-sync set to the controller (KIP-497). Brokers only.
 *
 * Version 2 names topics by id and may return INELIGIBLE_REPLICA and NEW_LEADER_ELECTED (KIP-841), 3 gives each replica with its broker epoch (KIP-903).
 */
export const AlterPartition = api(
  { key: 56, name: "AlterPartition", versions: [2, 3], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: withDefault(int64, -1n),
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            leaderEpoch: int32,
            newIsr: until(2, array(int32), []),
            newIsrWithEpochs: since(3, array(struct({ brokerId: int32, brokerEpoch: withDefault(int64, -1n) })), []),
            leaderRecoveryState: withDefault(int8, 0),
            partitionEpoch: int32
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode,
            leaderId: int32,
            leaderEpoch: int32,
            isr: array(int32),
            leaderRecoveryState: withDefault(int8, 0),
            partitionEpoch: int32
          })
        )
      })
    )
  }
)
