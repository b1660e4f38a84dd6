import { api, array, errorCode, int8, int32, nullable, since, struct, text, withDefault } from "../type/wire.ts"

export const ElectLeaders = api(
  { key: 43, name: "ElectLeaders", versions: [0, 2], flexible: 2 },
  {
    electionType: since(1, int8, 0),
    topicPartitions: nullable(array(struct({ topic: text, partitions: array(int32) }))),
    timeoutMs: withDefault(int32, 60000)
  },
  {
    throttleTimeMs: int32,
    errorCode: since(1, errorCode, 0),
    replicaElectionResults: array(
      struct({
        topic: text,
        partitionResult: array(struct({ partitionId: int32, errorCode, errorMessage: nullable(text) }))
      })
    )
  }
)
