import { api, array, errorCode, int32, nullable, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/** The moves of partitions that are under way (KIP-455). Null asks for all topics. */
export const ListPartitionReassignments = api(
  { key: 46, name: "ListPartitionReassignments", versions: [0, 0], flexible: 0 },
  {
    timeoutMs: withDefault(int32, 60000),
    topics: withDefault(nullable(array(struct({ name: text, partitionIndexes: array(int32) }))), null)
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode,
    errorMessage: nullable(text),
    topics: array(
      struct({
        name: text,
        partitions: array(
          struct({
            partitionIndex: int32,
            replicas: array(int32),
            addingReplicas: array(int32),
            removingReplicas: array(int32)
          })
        )
      })
    )
  }
)
