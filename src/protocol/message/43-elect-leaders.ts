import { api, array, errorCode, int8, int32, nullable, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * Asks for leader elections: the preferred replica (type 0), or any when no in-sync one is left (type 1). Null asks for all partitions.
 *
 * Version 1 knows type 1 and has an error for the whole response (KIP-460), 2 is flexible.
 */
export const ElectLeaders = api(
  { key: 43, name: "ElectLeaders", versions: [0, 2], flexible: 2 },
  {
    electionType: since(1, int8, 0),
    topicPartitions: nullable(array(struct({ topic: text, partitions: array(int32) }))),
    timeoutMs: withDefault(int32, 60000)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode: since(1, errorCode, 0),
    replicaElectionResults: array(
      struct({
        topic: text,
        partitionResult: array(struct({ partitionId: int32, errorCode, errorMessage: nullable(text) }))
      })
    )
  }
)
