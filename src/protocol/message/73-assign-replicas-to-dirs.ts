import { api, array, errorCode, int32, int64, struct, throttleTime, uuid, withDefault } from "../type/wire.ts"

/** A broker tells the controller in which of its directories replicas lie (KIP-858). */
export const AssignReplicasToDirs = api(
  { key: 73, name: "AssignReplicasToDirs", versions: [0, 0], flexible: 0 },
  {
    brokerId: int32,
    brokerEpoch: withDefault(int64, -1n),
    directories: array(
      struct({
        id: uuid,
        topics: array(
          struct({
            topicId: uuid,
            partitions: array(struct({ partitionIndex: int32 }))
          })
        )
      })
    )
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    directories: array(
      struct({
        id: uuid,
        topics: array(
          struct({
            topicId: uuid,
            partitions: array(struct({ partitionIndex: int32, errorCode }))
          })
        )
      })
    )
  }
)
